"""A captioner in processes of its own: one may crash, hang or be killed, and is replaced.

A shard's batches are spread over them. Much of what a batch costs on a CPU is not multiplying, which torch's threads
share, but calling operations, decoding and scaling, which one thread does: so a small model is fastest in as many
processes as there are cores, each with one thread. Memory is given back when the last shard is done.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from itertools import pairwise

from model import machine
from model.caption_chat import Clip
from model.caption_process import POLL_S, Asked, CaptionWorker, Job, ended
from model.caption_prompt import CaptionPrompt
from model.captioner import Described
from model.child_process import WorkerLost
from model.errors import VideoError

_log = logging.getLogger(__name__)

IDLE_S = 15.0
"""Seconds without work after which the processes are ended: between two shards there are fewer."""
FEWEST = 4
"""Utterances that are still worth a batch where a process has nothing to do."""


class ProcessCaptioner:
    """``Captioner`` in at most ``processes`` processes; thread-safe.

    The first starts with the first batch. A further one starts when those there have worked for as long as it took to
    start the first, so that little work does not wait for many starts. A process that ends at work is replaced,
    once for a batch, and half the utterances are described at once from then on: the machine may have ended it for want
    of memory. RuntimeError when that ends too, or when no token came for ``timeout_s``.
    """

    def __init__(
        self, job: Job, batch_size: int = 16, processes: int = 1, timeout_s: float = 3600.0, idle_s: float = IDLE_S
    ) -> None:
        self.job, self.batch_size, self.processes = job, batch_size, processes
        self.timeout_s, self.idle_s = timeout_s, idle_s
        self._halved = False
        self._change = threading.Condition()
        self._idle: list[CaptionWorker] = []
        self._there = 0  # processes, starting ones among them
        self._started_in = 0.0  # seconds, of the first
        self._worked = 0.0  # seconds, of all
        self._since: dict[int, float] = {}
        self._calls = 0
        self._timer: threading.Timer | None = None
        _ALL.add(self)

    def describe(
        self,
        clips: Sequence[Clip],
        prompt: CaptionPrompt,
        max_new_tokens: int,
        progress: Callable[[int], None] = lambda _done: None,
    ) -> list[Described | VideoError]:
        """As the protocol says."""
        results: dict[int, Described | VideoError] = {}
        stop = threading.Event()
        with self._at_work(), ThreadPoolExecutor(self.processes, thread_name_prefix="captioner") as threads:
            pending: dict[Future[list[Described | VideoError]], list[int]] = {}
            for batch in cut(clips, self.batch_size, self._there or 1):
                asked = Asked([clips[index] for index in batch], prompt, max_new_tokens)
                pending[threads.submit(self._batch, asked, stop)] = batch
            try:
                for future in as_completed(pending):
                    results |= zip(pending[future], future.result(), strict=True)
                    progress(len(results))
            except BaseException:
                stop.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        return [results[index] for index in range(len(clips))]

    def running(self) -> int:
        """Processes that have loaded the model."""
        with self._change:
            return len(self._idle) + len(self._since)

    def close(self) -> None:
        """Ends the processes that have nothing to do."""
        with self._change:
            idle, self._idle = self._idle, []
            self._there -= len(idle)
        for worker in idle:
            worker.end()

    def _batch(self, asked: Asked, stop: threading.Event) -> list[Described | VideoError]:
        how = ""
        for _attempt in range(2):
            worker = self._take(stop)
            try:
                results, at_once = worker.describe(asked, self.batch_size, self.timeout_s, stop)
            except TimeoutError as error:
                self._end(worker)
                detail = f"a captioner's process gave no sign for {self.timeout_s:.0f} s and was ended"
                raise RuntimeError(f"{detail}; set captions.timeout_s higher if the model is that slow") from error
            except WorkerLost as lost:
                how = ended(self._end(worker))
                how = str(lost) or how
                self._fewer(self.batch_size // 2, f"a captioner's process {how}")
            except BaseException:
                self._end(worker)
                raise
            else:
                self._give_back(worker)
                self._fewer(at_once, "out of memory")
                return results
        detail = f"a captioner's process {how}, twice over the same {len(asked.clips)} utterances"
        raise RuntimeError(f"{detail}; set captions.batch_size or captions.processes lower, or choose a smaller model")

    def _fewer(self, at_once: int, why: str) -> None:
        """Goes on with smaller batches, once."""
        with self._change:
            if self._halved or at_once >= self.batch_size:
                return
            self._halved, self.batch_size = True, max(at_once, 1)
        _log.warning("%s: going on with %d utterances at once", why, self.batch_size)

    def _take(self, stop: threading.Event) -> CaptionWorker:
        with self._change:
            self._forget_dead()
            while not self._idle and not self._may_start():
                if stop.is_set():
                    raise TimeoutError
                self._change.wait(POLL_S)
            if self._idle:
                worker = self._idle.pop()
                self._since[id(worker)] = time.monotonic()
                return worker
            self._there += 1
        return self._start(stop)

    def _start(self, stop: threading.Event) -> CaptionWorker:
        start = time.monotonic()
        try:
            worker = CaptionWorker(self.job, stop)
        except BaseException:
            with self._change:
                self._there -= 1
                self._change.notify_all()
            raise
        with self._change:
            self._started_in = self._started_in or time.monotonic() - start
            self._since[id(worker)] = time.monotonic()
        return worker

    def _forget_dead(self) -> None:
        """One that ended while it had nothing to do has failed nobody."""
        dead = [worker for worker in self._idle if not worker.alive()]
        self._idle = [worker for worker in self._idle if worker not in dead]
        self._there -= len(dead)
        for worker in dead:
            worker.end()

    def _may_start(self) -> bool:
        if self._there == 0:
            return True
        worked = self._worked + sum(time.monotonic() - since for since in self._since.values())
        return self._there < self.processes and 0 < self._started_in * self._there <= worked

    def _give_back(self, worker: CaptionWorker) -> None:
        with self._change:
            self._idle.append(worker)
            self._worked += time.monotonic() - self._since.pop(id(worker))
            self._change.notify_all()

    def _end(self, worker: CaptionWorker) -> str:
        how = worker.end()
        with self._change:
            self._there -= 1
            self._since.pop(id(worker), None)
            self._change.notify_all()
        return how

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """No process is ended for idleness meanwhile, and all are a while after the last call."""
        with self._change:
            self._calls += 1
            if self._timer:
                self._timer.cancel()
        try:
            yield
        finally:
            with self._change:
                self._calls -= 1
                if not self._calls:
                    self._timer = threading.Timer(self.idle_s, self._close_if_idle)
                    self._timer.daemon = True
                    self._timer.start()

    def _close_if_idle(self) -> None:
        with self._change:
            if self._calls:
                return
        self.close()


_ALL: weakref.WeakSet[ProcessCaptioner] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for captioner in [*_ALL]:
        captioner.close()


def cut(clips: Sequence[Clip], batch_size: int, processes: int) -> list[list[int]]:
    """Places in ``clips``, those with the same number of pictures and pixels together and the most first, in batches.

    As many for each process, of at most ``batch_size`` and much the same size.
    """
    sizes = [clip.distinct().size() for clip in clips]
    order = sorted(range(len(clips)), key=sizes.__getitem__, reverse=True)
    rounds = -(-len(order) // (batch_size * processes))
    number = min(rounds * processes, -(-len(order) // FEWEST)) or 1
    number = max(number, -(-len(order) // batch_size))
    bounds = [len(order) * place // number for place in range(number + 1)]
    return [order[start:end] for start, end in pairwise(bounds) if start < end]


def default_processes(needed: int) -> int:
    """How many processes for a model that needs so many bytes of memory in each.

    One on a GPU. On a CPU one a core, as long as all of them fit into half of the free memory.
    """
    if machine.has_gpu():
        return 1
    return max(1, min(machine.cores(), machine.free_memory() // 2 // max(needed, 1)))
