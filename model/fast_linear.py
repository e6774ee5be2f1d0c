"""Multiplications by frozen weights on a CPU, through oneDNN instead of the BLAS that torch was built with.

torch multiplies float32 through MKL, which on processors of other makers than its own leaves half of their vector units
unused (measured on an AMD EPYC with AVX-512: 107 GFLOP/s a core against 235). oneDNN ships in every torch. The numbers
are the same up to rounding.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

FEWEST_ROWS = 8  # below, both are as fast


def switch_on(model: Any) -> Any:
    """``model`` itself; its plain linear layers in float32 on a CPU multiply through oneDNN where torch has it."""
    import torch

    if not available():
        return model
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if type(module) is torch.nn.Linear and weight is not None and weight.device.type == "cpu":
            module.__class__ = _layer()
    return model


@cache
def available() -> bool:
    """Whether this torch has the operation that torch.compile uses for linear layers, and it does what it should."""
    import torch

    if not torch.backends.mkldnn.is_available():
        return False
    x, weight, bias = torch.arange(24.0).view(1, 8, 3), torch.arange(6.0).view(2, 3), torch.ones(2)
    try:
        found = _multiply(x, weight, bias), _multiply(x[..., :2], weight.t(), None)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return bool(torch.equal(found[0], x @ weight.t() + bias) and torch.equal(found[1], x[..., :2] @ weight))


def _multiply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    import torch

    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


@cache
def _layer() -> type:
    import torch

    class Frozen(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
            ctx.save_for_backward(weight)
            return _multiply(x, weight, bias)

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
            (weight,) = ctx.saved_tensors
            return _multiply(gradient, weight.t(), None), None, None

    class FastLinear(torch.nn.Linear):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            few = x.numel() < FEWEST_ROWS * self.in_features
            frozen = not self.weight.requires_grad and (self.bias is None or not self.bias.requires_grad)
            plain = self.weight.dtype == x.dtype == torch.float32 and self.weight.device == x.device
            if few or not frozen or not plain or x.device.type != "cpu" or torch.compiler.is_compiling():
                return super().forward(x)
            if not (torch.is_grad_enabled() and x.requires_grad):
                return _multiply(x, self.weight, self.bias)
            found: torch.Tensor = Frozen.apply(x, self.weight, self.bias)
            return found

    return FastLinear
