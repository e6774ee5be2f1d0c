"""Training by several processes: each computes the gradient of its share of every batch, one adds them up and steps.

The process that trains keeps all the rest to itself: optimizer, dev scores, checkpoints, log. At each step it sends
its helpers (training_helper.py) the adapter and the batch's rows and gets back the sum of their gradients. Loss and
gradient are sums over a process's rows, divided by the number of tokens of the whole batch: how many of them a process
gets does not matter. The processes talk over gloo on one machine; where there are GPUs each has its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from model import lora
from model.errors import TrainingError
from model.training_loss import n_terms
from model.training_plan import Example, TrainOptions
from model.training_step import accumulate

WAITING = timedelta(days=7)
"""How long a process waits for one that is there; one that is gone is noticed at once."""

ROOM = Path(__file__).parents[1]
"""Where this program's rooms lie, for processes that are started in any directory."""

STOP = -1
START_S = 1800.0
_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """What a helper must know to hold the same model. ``base`` is its folder; ``threads`` are those of each process."""

    base: str
    adapter: lora.LoraOptions
    options: TrainOptions
    processes: int
    share: bool
    precision: lora.Precision = "auto"
    quantize: lora.Quantize = "off"
    recompute: bool = False
    threads: int = 1


class Helpers:
    """The other processes of a run, as ``training_step.take`` uses them."""

    def __init__(self, model: Any, examples: Sequence[Example], job: Job, folder: Path) -> None:
        self.processes = job.processes
        self._model, self._job, self._folder = model, job, folder
        self._numbers = {id(example): number for number, example in enumerate(examples)}
        self.running: list[subprocess.Popen[bytes]] = []

    def gradient(self, rows: Sequence[Example], size: int, step: int) -> float:
        """The batch's loss; its gradient is left in the parameters. Raises TrainingError where a process fails."""
        import torch

        numbers = torch.tensor([self._numbers[id(row)] for row in rows])
        try:
            send(torch.tensor([step, size, len(rows)]), numbers, flat(self._model))
            found = gradient_of_share(self._model, rows, self._job, size, step, rank=0)
            torch.distributed.reduce(found, 0)
        except RuntimeError as error:
            raise TrainingError(f"step {step}: {self.fault() or error}; the last checkpoint is kept") from error
        put(self._model, found[:-1], gradients=True)
        return float(found[-1])

    def fault(self) -> str:
        """What a helper that has ended said last, "" while all are running."""
        for rank, process in enumerate(self.running, 1):
            for _ in range(40):  # the connection may break before the process is gone
                if process.poll() is not None:
                    said = self._log(rank).read_text(errors="replace").strip().splitlines()
                    return f"training process {rank} ended ({process.returncode}): {said[-1] if said else 'no message'}"
                time.sleep(_POLL_S)
        return ""

    def start(self) -> None:
        """Starts the processes and waits until each has loaded its model. Raises TrainingError where one does not."""
        path = os.pathsep.join(filter(None, [str(ROOM), os.environ.get("PYTHONPATH")]))
        for rank in range(1, self.processes):
            command = [sys.executable, "-P", "-m", "model.training_helper", str(self._folder), str(rank)]
            with self._log(rank).open("wb") as said:
                more: dict[str, Any] = {"stdout": said, "stderr": said, "env": {**os.environ, "PYTHONPATH": path}}
                self.running.append(subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, **more))
        until = time.monotonic() + START_S
        waiting = {rank: self._folder / f"ready-{rank}" for rank in range(1, self.processes)}
        while any(not path.exists() for path in waiting.values()):
            ended = any(process.poll() is not None for process in self.running)
            if ended or time.monotonic() > until:
                raise TrainingError(
                    f"{self.fault() or 'the training processes do not start'}; set finetune.processes = 1"
                )
            time.sleep(_POLL_S)

    def _log(self, rank: int) -> Path:
        return self._folder / f"said-{rank}.txt"


@contextmanager
def helpers(model: Any, examples: Sequence[Example], job: Job) -> Iterator[Helpers | None]:
    """The helpers of a run, gone at the end of the block; None for a run of one process."""
    if job.processes == 1:
        yield None
        return
    import torch

    if 0 < (gpus := torch.cuda.device_count()) < job.processes:
        raise TrainingError(f"finetune.processes = {job.processes}, but there are {gpus} GPUs; a process needs its own")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dialoguellm-")))
        (folder / "job.json").write_text(json.dumps(asdict(job) | {"examples": [asdict(one) for one in examples]}))
        made = Helpers(model, examples, job, folder)
        stack.callback(_end, made)
        made.start()
        join(folder, 0, job.processes)
        yield made
        with suppress(RuntimeError):  # one that is gone need not be told
            send(torch.tensor([STOP, 0, 0]))


def _end(made: Helpers) -> None:
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    for process in made.running:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()


def join(folder: Path, rank: int, processes: int) -> None:
    """Makes this process number ``rank`` of those that meet in ``folder``."""
    import torch

    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # else it asks for the machine's name, which may lead nowhere
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder / 'meet'}", rank=rank, world_size=processes, timeout=WAITING
    )


def send(*tensors: Any) -> None:
    """Process 0's tensors into those of the others, which have the same shapes."""
    import torch

    for tensor in tensors:
        torch.distributed.broadcast(tensor, 0)


def gradient_of_share(model: Any, rows: Sequence[Example], job: Job, size: int, step: int, rank: int) -> Any:
    """Float32 on the CPU: what every ``processes``-th row adds to the gradient of a batch, and last to its loss."""
    import torch

    terms = n_terms(rows, job.options.loss_on)
    loss = accumulate(model, rows[rank :: job.processes], size, step, job.options, job.share, terms=terms, rank=rank)
    return torch.cat([flat(model, gradients=True), torch.tensor([loss])])


def flat(model: Any, *, gradients: bool = False) -> Any:
    """The adapter's numbers, or its gradient's, one behind the other: float32 on the CPU."""
    import torch

    found = [parameter for _, parameter in lora.trainable(model)]
    parts = [torch.zeros_like(one) if one.grad is None else one.grad for one in found] if gradients else found
    return torch.cat([part.detach().flatten() for part in parts]).float().cpu()


def put(model: Any, numbers: Any, *, gradients: bool = False) -> None:
    """The opposite of ``flat``."""
    start = 0
    for _, parameter in lora.trainable(model):
        part = numbers[start : start + parameter.numel()].view_as(parameter).to(parameter)
        start += parameter.numel()
        if gradients:
            parameter.grad = part
        else:
            parameter.data.copy_(part)
