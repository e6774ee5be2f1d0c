"""Keyframes: one to four sharp, different, telling frames per utterance, in one pass over each video file.

Decoding happens in processes of its own (tasks/video/pool.py): a file that crashes or hangs a decoder becomes a row
of rejects and the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, fields
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from model import face_weights, machine
from model.dialogue import Keyframe, Rejected, Utterance
from model.errors import CorpusError, VideoError
from tasks.stage import Context, Rows, Stage, StageSettings
from tasks.video.options import FACES_VERSION, VERSION, Options
from tasks.video.outcome import Outcome, Stretch
from tasks.video.stretches import by_file, fault


class KeyframesSettings(StageSettings):
    """How frames are chosen and stored, and what a video may cost."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"workers", "face_model"})

    enabled: bool = True
    """Off: text only; no frames and no captions."""

    max_frames: int = Field(default=4, ge=1, le=64)
    """Most frames an utterance gets; it gets one per 1.2 seconds and at least one per shot, up to this."""

    long_side: int = Field(default=512, ge=32, le=4096)
    """Longer side of the stored pictures in pixels; smaller ones are not enlarged. 448 suits Qwen2.5-VL."""

    jpeg_quality: int = Field(default=90, ge=1, le=100)
    """JPEG quality, 1 to 100."""

    mode: Literal["fast", "full"] = "fast"
    """fast leaves out frames that no other frame needs (a third less work); full looks at every frame."""

    method: Literal["best", "uniform"] = "best"
    """best chooses by shots, sharpness, exposure, motion and faces; uniform takes equal distances."""

    face_model: str | None = Field(default=None, min_length=1)
    """A face detector: "yunet" (fetched once) or the path of a YuNet .onnx. Without one ("off") the choice goes by the
    picture alone and no faces are counted; with one, a face may make a stretch's second best frame win."""

    max_pixels: int = Field(default=4096 * 2304, ge=1)
    """Largest frame that is decoded, width × height."""

    max_seconds: float = Field(default=4 * 3600.0, gt=0)
    """Longest video file that is decoded."""

    max_line_seconds: float = Field(default=60.0, gt=0)
    """Longest file taken for one line, inf for any: longer ones show other scenes too. Lines with an end_s may last."""

    timeout_s: float = Field(default=60.0, gt=0)
    """Seconds without a new frame after which a decoder is ended; in all a file may take its length and this of CPU."""

    memory_mb: int = Field(default=3072, ge=512)
    """Address space of one decoder process."""

    workers: int | None = Field(default=None, ge=1)
    """Decoder processes; as many as there are cores if not set."""

    @field_validator("face_model")
    @classmethod
    def _none_if_off(cls, name: str | None) -> str | None:
        return None if name is None or name.lower() == "off" else name

    def options(self, face_model: Path | None = None) -> Options:
        """What a decoder needs of these; ``face_model`` is the file that the setting stands for."""
        values = {field.name: getattr(self, field.name) for field in fields(Options)}
        return Options(**{**values, "face_model": str(face_model) if face_model else None})


def run(rows: Rows, settings: KeyframesSettings, context: Context) -> Iterator[Keyframe | Rejected]:
    """Keyframes in the order of the utterances, by time within each; a Rejected where there are none."""
    utterances: Sequence[Utterance] = rows["utterances"]
    if not settings.enabled:
        return
    files = by_file(utterances)
    pending = _submit(files, settings, context) if files else {}
    try:
        for done, utterance in enumerate(utterances, 1):
            yield from _rows_of(utterance, files, pending)
            context.progress(done, len(utterances), "clips")
    finally:  # also when the reader stops half-way
        for future in pending.values():
            future.cancel()


def _identity(settings: KeyframesSettings) -> Mapping[str, str]:
    """The face model's digest, and the version of what is done with it."""
    if not settings.face_model:
        return {}
    return {"face_model": face_weights.identity(settings.face_model), "faces": str(FACES_VERSION)}


STAGE = Stage(
    name="keyframes",
    version=VERSION,
    reads=("utterances",),
    writes="keyframes",
    row=Keyframe,
    settings=KeyframesSettings,
    run=run,
    videos=True,
    identity=_identity,
)


def _submit(
    files: Mapping[str, Mapping[str, Stretch]], settings: KeyframesSettings, context: Context
) -> dict[str, Future[list[Outcome]]]:
    """Hands every file to the decoders, in order."""
    from tasks.video.pool import shared_pool

    if context.videos is None or not context.videos.is_dir():
        raise CorpusError(
            f"the corpus names videos but its video folder is {context.videos or 'not set'}; "
            "set it, or set keyframes.enabled = false to use the text alone"
        )
    finder = settings.face_model and face_weights.resolve(settings.face_model, context.cache, context.progress)
    options = settings.options(finder or None)
    pool = shared_pool(settings.workers or machine.cores(), settings.memory_mb * 2**20)
    root = context.videos.resolve()
    return {name: pool.submit((root, name, list(stretches.values())), options) for name, stretches in files.items()}


def _rows_of(
    utterance: Utterance, files: Mapping[str, Mapping[str, Stretch]], pending: Mapping[str, Future[list[Outcome]]]
) -> Iterator[Keyframe | Rejected]:
    identity = utterance.utterance_id
    outcome: Outcome | None = fault(utterance)
    if outcome is None and utterance.video is not None:
        place = list(files[utterance.video]).index(identity)
        outcome = pending[utterance.video].result()[place]
    if isinstance(outcome, VideoError):
        yield Rejected(identity, STAGE.name, outcome.reason, str(outcome))
        return
    for rank, chosen in enumerate(outcome or []):
        yield Keyframe(utterance_id=identity, rank=rank, **asdict(chosen))
