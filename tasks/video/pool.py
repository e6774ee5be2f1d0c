"""A pool of decoder processes that may crash, hang or be killed without taking the stage with them."""

from __future__ import annotations

import atexit
import functools
import queue
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from model.child_process import WorkerLost
from model.errors import VideoError, WeightsError
from tasks.video.options import Options
from tasks.video.outcome import Length, Outcome
from tasks.video.process import Request, Worker
from tasks.video.reasons import refuse

T = TypeVar("T")

FILES_PER_WORKER = 500
"""Then it is replaced: what a decoder leaks ends with it."""


class WorkerPool:
    """``workers`` processes of at most ``memory_bytes`` each, started when first needed. Thread-safe."""

    def __init__(self, workers: int, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="decoder")

    def submit(self, request: Request, options: Options) -> Future[list[Outcome]]:
        """An outcome per stretch; bad files do not raise, a bad face model does (WeightsError)."""
        return self._threads.submit(self._extract, request, options)

    def length(self, root: Path, name: str, options: Options) -> Future[Length]:
        """How long the file is; its head alone is read."""
        return self._threads.submit(self._run, name, lambda worker: worker.length(root, name, options))

    def close(self) -> None:
        """Drops what waits, lets what runs finish, ends the processes."""
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().end()

    def _extract(self, request: Request, options: Options) -> list[Outcome]:
        _, name, stretches = request
        found = self._run(name, lambda worker: worker.extract(request, options))
        return [found] * len(stretches) if isinstance(found, VideoError) else found

    def _run(self, name: str, ask: Callable[[Worker], T]) -> T | VideoError:
        how = ""
        for _attempt in range(2):  # once more after a crash: it may have been the machine's doing
            worker = self._take()
            try:
                answer = ask(worker)
            except TimeoutError:
                worker.end()
                return refuse("timed_out", f"{name}: the decoder hung and was ended")
            except WorkerLost as lost:
                how = worker.end()
                how = str(lost) or how
                continue
            except WeightsError:
                self._give_back(worker)
                raise
            self._give_back(worker)
            return answer
        return refuse("decoder_crashed", f"{name} ends the decoder every time ({how})")

    def _take(self) -> Worker:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return Worker(self._memory_bytes)

    def _give_back(self, worker: Worker) -> None:
        if worker.files < FILES_PER_WORKER:
            self._idle.put(worker)
        else:
            worker.end()


@functools.cache
def shared_pool(workers: int, memory_bytes: int) -> WorkerPool:
    """This process's pool: starting a decoder costs as much as a clip or two, so stages and shards share them."""
    pool = WorkerPool(workers, memory_bytes)
    atexit.register(pool.close)
    return pool
