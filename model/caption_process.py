"""One process that captions (model/caption_worker.py), seen from outside: start it, ask it, end it."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from os import getpid
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from model.caption_chat import Clip
from model.caption_models import CaptionModel
from model.caption_prompt import CaptionPrompt
from model.captioner import Described
from model.child_process import ChildProcess, WorkerLost
from model.errors import SettingsError, VideoError, WeightsError

LOAD_S = 3600.0
"""Seconds that loading a model may take."""
POLL_S = 0.5
KEPT = ("CUDA_", "NVIDIA_", "OMP_", "MKL_", "KMP_", "PYTORCH_", "HOME", "HF_HOME")
"""Beginnings of names of variables that a captioner's process inherits; no token or key is among them."""
SET = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}


@dataclass(frozen=True, slots=True)
class Job:
    """What every process loads: a checkpoint's folder, and how its pictures are shown. ``threads`` are of each."""

    folder: Path
    model: CaptionModel | None = None
    threads: int = 1


class Asked(NamedTuple):
    """Utterances of one batch and what is to be said of them."""

    clips: Sequence[Clip]
    prompt: CaptionPrompt
    max_new_tokens: int


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class _Said(_Answer):
    text: str
    n_frames: Annotated[int, Field(ge=0)]
    n_tokens: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]
    n_prompt_tokens: Annotated[int, Field(ge=0)]


class _Refused(_Answer):
    reason: Annotated[str, Field(pattern="^[a-z_]{1,40}$")]
    detail: str


_ANSWER = TypeAdapter(list[_Said | _Refused])


class CaptionWorker(ChildProcess):
    """One process, with the model loaded. Raises what loading does, RuntimeError where it ends or ``stop`` is set."""

    def __init__(self, job: Job, stop: threading.Event) -> None:
        environment = {**SET, "OMP_NUM_THREADS": str(job.threads)}
        super().__init__("model.caption_worker", [str(getpid())], environment, "a captioner's process", KEPT)
        try:
            self._send({"folder": str(job.folder), "model": job.model and asdict(job.model), "threads": job.threads})
            self._fault(self._reply(LOAD_S, stop))
        except (WorkerLost, TimeoutError) as error:
            how = ended(self.end())
            raise RuntimeError(f"a captioner's process {how} while it loaded {job.folder}") from error
        except BaseException:
            self.end()
            raise

    def describe(
        self, asked: Asked, batch_size: int, timeout_s: float, stop: threading.Event
    ) -> tuple[list[Described | VideoError], int]:
        """What is said of each clip, and how many were described at once: fewer where memory ran out.

        Raises WorkerLost, TimeoutError after ``timeout_s`` without a token or after ``stop``: then it must be ended.
        """
        shown = [{"times": clip.times, "words": clip.words} for clip in asked.clips]
        asks = {"prompt": asdict(asked.prompt), "max_new_tokens": asked.max_new_tokens, "batch_size": batch_size}
        self._send({"clips": shown, **asks})
        for clip in asked.clips:
            for jpeg in clip.jpegs:
                self._send_bytes(jpeg)
        reply = self._reply(timeout_s, stop)
        while "alive" in reply:
            reply = self._reply(timeout_s, stop)
        self._fault(reply)
        try:
            said = _ANSWER.validate_python(reply.get("said"))
        except ValidationError as error:
            raise WorkerLost(f"answered nonsense: {error.errors(include_input=False)[0]['msg']}") from error
        if len(said) != len(asked.clips):
            raise WorkerLost(f"answered nonsense: {len(said)} descriptions of {len(asked.clips)} clips")
        return [_result(one) for one in said], int(reply.get("batch_size", batch_size))

    def _reply(self, timeout_s: float, stop: threading.Event) -> dict[str, Any]:
        until = time.monotonic() + timeout_s
        while not self._pipe.poll(POLL_S):
            if stop.is_set() or time.monotonic() > until:
                raise TimeoutError
        return self._receive(timeout_s)

    def _fault(self, reply: dict[str, Any]) -> None:
        if "fault" in reply:
            kind = {"SettingsError": SettingsError, "WeightsError": WeightsError}.get(str(reply["fault"]))
            text = str(reply.get("text"))
            raise kind(text) if kind else RuntimeError(f"a captioner's process failed: {text}")


def ended(how: str) -> str:
    """What to say of a process that ended so, as model/child_process.py puts it."""
    if how == "SIGKILL":
        return "was killed (SIGKILL: by hand, or for want of memory)"
    return f"ended ({how})"


def _result(one: _Said | _Refused) -> Described | VideoError:
    return VideoError(one.reason, one.detail) if isinstance(one, _Refused) else Described(**one.model_dump())
