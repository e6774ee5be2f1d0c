"""Training by several processes: each computes the gradient of its share of every batch, one adds them up and steps.

The process that trains keeps all the rest to itself: optimizer, dev scores, checkpoints, log. At each step it sends
its helpers (training_helper.py) the adapter and the batch's rows and gets back the sum of their gradients. Loss and
gradient are sums over a process's rows, divided by the number of tokens of the whole batch: how many of them a process
gets does not matter. The processes talk over gloo (training_group.py), on one machine or on several
(training_hosts.py); where there are GPUs each has its own.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model import lora, sharded_base, training_group
from model.errors import TrainingError
from model.training_group import WAITING_S, Lost, Meeting, Place
from model.training_hosts import Hosts, Others
from model.training_loss import n_terms
from model.training_plan import Example, TrainOptions
from model.training_step import accumulate, let_go, out_of_memory, parts_of
from model.training_workers import Workers

STOP, PASS = -1, -2
"""In the place of a step's number: training is over; one token through the model."""

START_S = 1800.0
"""How long a process has to start, and to follow through a base that is shared out."""

_POLL_S = 0.05


@dataclass(frozen=True, slots=True)
class Job:
    """What a helper must know to hold the same model. ``base`` is its name (model/weights.py); ``processes`` are those
    of all hosts, ``threads`` those of each process. ``shard``: each holds its part of the base (sharded_base.py)."""

    base: str
    adapter: lora.LoraOptions
    options: TrainOptions
    processes: int
    share: bool
    precision: lora.Precision = "auto"
    quantize: lora.Quantize = "off"
    recompute: bool = False
    threads: int = 1
    shard: bool = False


class Helpers:
    """The other processes of a run, as ``training_step.take`` uses them."""

    def __init__(
        self, model: Any, examples: Sequence[Example], job: Job, workers: Workers, others: Others | None
    ) -> None:
        self.processes = job.processes
        self.workers = workers
        self._model, self._job, self._others = model, job, others
        self._numbers = {id(example): number for number, example in enumerate(examples)}
        self._announced: sharded_base.Announced | None = None

    def share_out(self, device: str) -> None:
        """Shares the base out over all processes, and lets them follow this one through it from then on."""
        sharded_base.share_out(self._model, device)
        self._announced = sharded_base.Announced(self._model, lambda: tell_head(PASS))

    def gradient(self, rows: Sequence[Example], size: int, step: int) -> float:
        """The batch's loss; its gradient is left in the parameters.

        Raises MemoryError where memory runs out in any process, and TrainingError where one fails.
        """
        import torch

        numbers = torch.tensor([self._numbers[id(row)] for row in rows])
        in_step = self._announced.step() if self._announced else nullcontext()
        with self.explained(f"step {step}"), noticing_in_model(self._job), in_step:
            tell_head(step, size, len(rows))
            training_group.send(numbers, flat(self._model))
            found = gradient_of_share(self._model, rows, self._job, size, step, rank=0)
            training_group.add_up(found)
        loss, without_memory = found[-2:].tolist()
        if without_memory:
            raise MemoryError(f"{without_memory:g} of {self.processes} processes ran out of memory")
        put(self._model, found[:-2], gradients=True)
        return float(loss)

    @contextmanager
    def explained(self, where: str) -> Iterator[None]:
        """Raises TrainingError where the others are lost inside the block, with what they say of it."""
        try:
            yield
        except Lost as error:
            why = self.workers.fault(2.0) or (self._others.fault(5.0) if self._others else "") or error
            raise TrainingError(f"{where}: {why}; the last checkpoint is kept") from error


@contextmanager
def helpers(
    model: Any,
    examples: Sequence[Example],
    job: Job,
    cache: Path,
    hosts: Hosts | None = None,
    report: Callable[[int, int, str], None] = lambda _done, _total, _what: None,
) -> Iterator[Helpers | None]:
    """The helpers of a run, gone at the end of the block; None for a run of one process. This is host 0."""
    here = hosts.processes if hosts else job.processes
    _require_gpus(here)
    if job.processes == 1:
        yield None
        return
    import torch

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dialoguellm-")))
        meet = hosts.meet if hosts else str(folder / "meet")
        waiting_s = hosts.waiting_s if hosts else START_S if job.shard else WAITING_S
        meeting = stack.enter_context(closing(Meeting(meet, lead=True)))
        others = Others(hosts, meeting) if hosts else None
        workers = Workers([Place(rank, job.processes, meet, rank, str(cache)) for rank in range(1, here)], folder)
        stack.callback(workers.end)
        with _telling(others):
            if others:
                others.gather(report)
            meeting.say("job", json.dumps(asdict(job)))
            workers.start()
            _wait_for_all(meeting, job, workers, others)
            device = "cuda" if torch.cuda.is_available() else "cpu"
            backend = sharded_base.backends(device) if job.shard else "gloo"
            with training_group.joined(Place(0, job.processes, meet, waiting_s=waiting_s), meeting, backend):
                made = Helpers(model, examples, job, workers, others)
                with made.explained("training"), noticing_in_model(job):
                    training_group.tell(json.dumps([asdict(example) for example in examples]))
                    if job.shard:
                        made.share_out(device)
                    yield made
                with suppress(Lost):  # one that is gone need not be told
                    tell_head(STOP)


def _require_gpus(wanted: int) -> None:
    import torch

    if 0 < (gpus := torch.cuda.device_count()) < wanted:
        raise TrainingError(f"finetune.processes = {wanted}, but there are {gpus} GPUs; a process needs its own")


@contextmanager
def _telling(others: Others | None) -> Iterator[None]:
    """The other hosts learn why the run is over where it ends before its time."""
    try:
        yield
    except BaseException as error:
        if others:
            others.over(str(error) or f"host 0 was stopped ({type(error).__name__})")
        raise


def _wait_for_all(meeting: Meeting, job: Job, workers: Workers, others: Others | None) -> None:
    """Waits until each has loaded its model. Raises TrainingError where one does not."""
    until = time.monotonic() + START_S
    while not meeting.said(*(f"ready/{rank}" for rank in range(1, job.processes))):
        if text := workers.fault():
            raise TrainingError(f"{text}; set finetune.processes = 1")
        if text := others.fault() if others else "":
            raise TrainingError(text)
        if time.monotonic() > until:
            late = [str(rank) for rank in range(1, job.processes) if not meeting.said(f"ready/{rank}")]
            raise TrainingError(f"training process {', '.join(late)} did not start within {START_S:g} s")
        time.sleep(_POLL_S)


def tell_head(step: int, size: int = 0, n_rows: int = 0) -> None:
    """What comes next, to all: a step's number, how many rows it computes at a time, and how many rows it has."""
    import torch

    training_group.send(torch.tensor([step, size, n_rows]))


@contextmanager
def noticing_in_model(job: Job) -> Iterator[None]:
    """A shared-out model asks the others for weights: inside the block Lost where they are gone."""
    try:
        yield
    except RuntimeError as error:
        if not job.shard or not training_group.is_of_group(error):
            raise
        raise Lost(str(error).splitlines()[0]) from error


def gradient_of_share(model: Any, rows: Sequence[Example], job: Job, size: int, step: int, rank: int) -> Any:
    """Float32 on the CPU: what every ``processes``-th row adds to the gradient of a batch, and last to its loss; behind
    them 1 where memory ran out, and all the rest is 0."""
    import torch

    terms, shares = n_terms(rows, job.options.loss_on), [rows[n :: job.processes] for n in range(job.processes)]
    rounds = [sum(1 for _ in parts_of(share, size)) for share in shares]
    idle = [rows[:1]] * (max(rounds) - rounds[rank]) if job.shard else []
    loss, failed = 0.0, 0.0
    try:
        loss = accumulate(*(model, shares[rank], size, step, job.options, job.share), terms=terms, rank=rank, idle=idle)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        if job.shard:  # the others wait for this process in the middle of the model
            raise TrainingError(
                f"step {step}: out of memory with {size} rows at a time; set a smaller finetune.micro_batch"
            ) from error
        failed = 1.0
    if failed:  # here, where the failed computation is no longer held by the error
        let_go(model)
    return torch.cat([flat(model, gradients=True), torch.tensor([loss, failed])])


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
