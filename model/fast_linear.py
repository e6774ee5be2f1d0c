"""Multiplications by frozen weights on a CPU, through oneDNN instead of the BLAS that torch was built with.

torch multiplies float32 through MKL, which on processors of other makers than its own leaves half of their vector units
unused (measured on an AMD EPYC with AVX-512: 107 GFLOP/s a core against 235). oneDNN ships in every torch. The numbers
are the same up to rounding. Adapters are added in place, and their dropout takes one number for four of torch's.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch

FEWEST_ROWS = 8  # below, both are as fast


def switch_on(model: Any) -> Any:
    """``model`` itself; its plain linear layers in float32 on a CPU multiply through oneDNN where torch has it.

    So do those with an adapter of PEFT's plain kind, which is added in place, without copies of the layer's output.
    """
    import torch

    if not available():
        return model
    for module in model.modules():
        weight = getattr(module, "weight", None)
        if type(module) is torch.nn.Linear and weight is not None and weight.device.type == "cpu":
            module.__class__ = _layer()
    for module in model.modules():
        plain = hasattr(module, "lora_A") and type(module).__name__ == "Linear" and not any(module.lora_bias.values())
        if plain and isinstance(module.base_layer, _layer()):
            module.__class__ = _adapted(cast("Any", type(module)))
    return model


@cache
def available() -> bool:
    """Whether this torch has the operation that torch.compile uses for linear layers, and it does what it should."""
    import torch

    if not torch.backends.mkldnn.is_available():
        return False
    x, weight, bias = torch.arange(24.0).view(1, 8, 3), torch.arange(6.0).view(2, 3), torch.ones(2)
    try:
        found = multiply(x, weight, bias), multiply(x[..., :2], weight.t(), None)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return bool(torch.equal(found[0], x @ weight.t() + bias) and torch.equal(found[1], x[..., :2] @ weight))


def multiply(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """``x @ weight.t() + bias`` in float32 on a CPU, by oneDNN; for where it is ``available``."""
    import torch

    found: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return found


def dropout(x: torch.Tensor, rate: float) -> tuple[torch.Tensor, float]:
    """Dropout of ``x``: True where a number stays, and the share that stays on average.

    From torch's generator, as its own dropout, which draws a number for each: 64 bits are drawn for every four, so that
    the rate is met to 1 in 65,536 and the time is a fifth.
    """
    import torch

    dropped = round(rate * 2**16)
    drawn = torch.empty((x.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None).view(torch.int16)
    return (drawn[: x.numel()] >= dropped - 2**15).view(x.shape), 1 - dropped / 2**16


def switch_off(model: Any) -> Any:
    """``model`` itself, with torch's and PEFT's own layers again."""
    for module in model.modules():
        if type(module).__name__ in ("FastLinear", "FastAdapter"):
            module.__class__ = type(module).__bases__[0]
    return model


def _usable(layer: Any, x: torch.Tensor) -> bool:
    """Whether a frozen layer may multiply these rows so."""
    import torch

    frozen = not layer.weight.requires_grad and (layer.bias is None or not layer.bias.requires_grad)
    plain = layer.weight.dtype == x.dtype == torch.float32 and layer.weight.device == x.device
    enough = x.numel() >= FEWEST_ROWS * layer.in_features
    return frozen and plain and enough and x.device.type == "cpu" and not torch.compiler.is_compiling()


@cache
def _layer() -> type:
    import torch

    class Frozen(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
            ctx.save_for_backward(weight)
            return multiply(x, weight, bias)

        @staticmethod
        def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
            (weight,) = ctx.saved_tensors
            return multiply(gradient, weight.t(), None), None, None

    class FastLinear(torch.nn.Linear):  # type: ignore[misc]
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if not _usable(self, x):
                return super().forward(x)
            if not (torch.is_grad_enabled() and x.requires_grad):
                return multiply(x, self.weight, self.bias)
            found: torch.Tensor = Frozen.apply(x, self.weight, self.bias)
            return found

    return FastLinear


@cache
def _adapted(kind: Any) -> type:
    """A PEFT layer of this type that adds its low-rank part in place."""
    import torch

    class Adapted(torch.autograd.Function):  # type: ignore[misc]
        """The frozen weight sees ``x``, the adapter what is ``kept`` of it: all of it where that is None."""

        @staticmethod
        def forward(ctx: Any, x: Any, kept: Any, weight: Any, bias: Any, a: Any, b: Any, scale: float) -> Any:
            low = multiply(x if kept is None else x * kept, a, None).flatten(0, -2)
            y = multiply(x, weight, bias)
            y.flatten(0, -2).addmm_(low, b.t(), alpha=scale)
            ctx.save_for_backward(x, kept, weight, a, b, low)  # not what is left of x: it would be a copy a layer
            ctx.scale = scale
            return y

        @staticmethod
        def backward(ctx: Any, gradient: Any) -> Any:
            x, kept, weight, a, b, low = ctx.saved_tensors
            flat = gradient.flatten(0, -2)
            part = multiply(flat, b.t(), None) * ctx.scale
            of_a = part.t() @ (x if kept is None else x * kept).flatten(0, -2)
            of_b = flat.t() @ low * ctx.scale
            of_x = None
            if ctx.needs_input_grad[0]:
                of_x = multiply(gradient, weight.t(), None)
                if kept is None:
                    of_x.flatten(0, -2).addmm_(part, a)
                else:
                    of_x += (part @ a).view_as(x).mul_(kept)
            return of_x, None, None, None, of_a, of_b, None

    class FastAdapter(kind):  # type: ignore[misc]
        def forward(self, x: torch.Tensor, *args: Any, **given: Any) -> torch.Tensor:
            base, names = self.base_layer, self.active_adapters
            ordinary = not (args or given or self.disable_adapters or self.merged or self.lora_variant)
            if not ordinary or [*names] != [*self.lora_A] or len(names) != 1 or not _usable(base, x):
                found: torch.Tensor = super().forward(x, *args, **given)
                return found
            (name,) = names
            rate = getattr(self.lora_dropout[name], "p", 0.0) if self.training else 0.0
            kept, left = dropout(x, rate) if rate else (None, 1.0)
            factors = self.lora_A[name].weight, self.lora_B[name].weight
            scale = self.scaling[name] / left
            made: torch.Tensor = Adapted.apply(x, kept, base.weight, base.bias, *factors, scale)
            return made

    return FastAdapter
