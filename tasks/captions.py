"""captions: what a vision-language model sees in each utterance's keyframes, cleaned and judged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from math import prod
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from model import caption_models, cues, machine, weight_files, weights
from model.caption_chat import Clip
from model.caption_process import Job
from model.caption_processes import ProcessCaptioner, default_processes
from model.caption_prompt import caption_prompt
from model.caption_quality import LENIENT, Limits
from model.captioner import Captioner, TransformersCaptioner
from model.dialogue import Caption, Keyframe, Rejected, Utterance
from model.errors import SettingsError
from model.server_captioner import ServerCaptioner
from model.vlm import DEMO_FOLDER, world_of
from tasks import caption_detections
from tasks.caption_detections import Asked, Expressions, Found
from tasks.caption_rows import Provenance, different, frames_by_utterance, rows_of
from tasks.server_settings import SERVER_FIELDS, ServerSettings
from tasks.stage import SECRET, Context, Rows, Stage

DEMO = "demo"
CUES = "cues"
NO_DETECTOR = 'captions.model = "cues" speaks of faces: set keyframes.face_model = "yunet", or another captions.model'
_loading = Lock()


class CaptionsSettings(ServerSettings):
    """Which model describes the keyframes, what it is asked, and which of its answers are refused."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = SERVER_FIELDS | {"batch_size", "force", "processes", "timeout_s"}
    SECTION: ClassVar[str] = "captions"
    SHORTER: ClassVar[str] = "captions.max_frames"

    enabled: bool = True
    """False leaves the videos out: instructions are then written without a description."""
    model: str = DEMO
    """The shipped captioner ("demo"), a short name of docs/captions.md ("smolvlm2-500m"), any vision-language model by
    its hub name or folder, or by a server's name. "cues" writes no more than was measured: the faces that
    keyframes.face_model found, and how the picture changes."""
    prompt: str = "describe"
    """A preset (describe, facial-cues, paper-like) or the instruction itself."""
    people: bool = False
    """Look for people in each frame shown, by a small detector of bodies (extra "cues"): stored, told by "cues", and
    held against what another model says of people."""
    expressions: Expressions = "off"
    """measure: store what a small classifier (extra "cues") reads in each face that keyframes.face_model found, beside
    any model's caption. tell: "cues" says it too, in words that may be the label's own."""
    objects: bool = False
    """Look for things in each frame shown (chairs, cups, books, in all 79 kinds), by a small detector that OpenCV runs:
    stored, and told by "cues"."""
    spoken_words: bool = False
    """Show the model the line's words too, quoted, so that it can tell who might be speaking."""
    max_new_tokens: int | None = Field(default=None, ge=8, le=1024)
    """The longest caption, in tokens. None: the preset's own limit (160, 128, 96), 160 for an instruction."""
    max_frames: int = Field(default=4, ge=1, le=16)
    """Keyframes shown for one utterance; of more, these many are taken evenly spread over time."""
    min_words: int = Field(default=2, ge=1, le=1000)
    """Shorter captions are rejected as too_short."""
    max_repetition: float = Field(default=0.5, ge=0, le=1)
    """Share of four-word runs that came before, from which a caption is rejected as repeating_caption; 1: none is."""
    min_english: float = Field(default=0.1, ge=0, le=1)
    """Share of common English words below which a caption is rejected as not_english; 0: any language will do."""
    max_emotion_words: int | None = Field(default=None, ge=0)
    """Emotion words that a caption may name before it is rejected as emotion_words; None: any number."""
    keep_refusals: bool = False
    """Keep captions in which the model declines to describe, which are otherwise rejected as refusal."""
    batch_size: int = Field(default=16, ge=1, le=512)
    """Utterances described at once. Halved when memory runs out."""
    processes: int | None = Field(default=None, ge=0, le=256)
    """Processes of the captioner, each with the model's weights in its memory. None: one on a GPU; on a CPU one a core,
    as long as they fit into half of the free memory. 0: in this process itself, which keeps the memory."""
    timeout_s: float = Field(default=3600.0, gt=0)
    """Seconds without a new token after which a captioner's process is taken to hang, and ended."""
    force: bool = False
    """Let a captioner that knows only the demo's drawn world describe another corpus."""

    def key_fields(self) -> dict[str, Any]:
        """As always, with the limit that holds; what is off, or plays no part, stays out."""
        fields = {**super().key_fields(), "max_new_tokens": self.limit()}
        if self.model == CUES:
            fields = {name: fields[name] for name in ("enabled", "model", "max_frames", *asdict(Asked()))}
        usual = {"spoken_words": False, **asdict(Asked()), **asdict(LENIENT)}
        return {name: value for name, value in fields.items() if name not in usual or value != usual[name]}

    def detectors(self) -> Asked:
        """Which of them shall look at the frames."""
        return Asked(self.people, self.expressions, self.objects)

    def limits(self) -> Limits:
        """What a caption may be."""
        return Limits(**{name: getattr(self, name) for name in asdict(LENIENT)})

    def limit(self) -> int:
        """The longest caption, in tokens."""
        return self.max_new_tokens or caption_prompt(self.prompt).limit

    @field_validator("prompt")
    @classmethod
    def _known_prompt(cls, value: str) -> str:
        try:
            caption_prompt(value)
        except SettingsError as error:
            raise ValueError(str(error)) from error
        return value

    @model_validator(mode="after")
    def _model_of_server(self) -> Self:
        if self.server and self.enabled and self.model in (DEMO, CUES):
            raise PydanticCustomError(
                SECRET, "with captions.server set captions.model to the server's name of the model"
            )
        return self

    @model_validator(mode="after")
    def _told_by_cues_alone(self) -> Self:
        if self.expressions == "tell" and self.model != CUES:
            raise PydanticCustomError(
                "told_by_cues",
                'captions.expressions = "tell" is for captions.model = "cues"; "measure" stores them with any model',
            )
        return self


def run(rows: Rows, settings: CaptionsSettings, context: Context) -> Iterator[Caption | Rejected]:
    """One Caption or Rejected for each utterance, in their order; nothing at all where captions are off.

    SettingsError where the model knows only another corpus, WeightsError where it cannot be loaded, ServerError where
    the server cannot be used.
    """
    utterances: Sequence[Utterance] = rows["utterances"]
    if not settings.enabled or not utterances:
        return
    keyframes = rows["keyframes"] if settings.model == CUES else different(rows["keyframes"])
    frames = frames_by_utterance(keyframes, settings.max_frames)
    if settings.model == CUES and any(frame.face_boxes is None for shown in frames.values() for frame in shown):
        raise SettingsError(NO_DETECTOR)
    found = caption_detections.detected(frames, settings.detectors(), context)
    if settings.model == CUES:
        yield from _by_cues(utterances, frames, found, tell=settings.expressions == "tell")
        return
    captioner, revision = _served(settings) if settings.server else _in_process(settings, utterances, context)
    prompt = caption_prompt(settings.prompt)
    total = len(utterances)
    described = captioner.describe(
        [_clip(utterance, frames, settings.spoken_words) for utterance in utterances],
        prompt,
        settings.limit(),
        lambda done: context.progress(done, total, "utterances"),
    )
    provenance = Provenance(settings.model, revision, prompt.prompt_id)
    yield from rows_of(utterances, described, frames, provenance, settings.limits(), found)


def identity(settings: CaptionsSettings) -> Mapping[str, str]:
    """What else decides the captions: the weights and the words of the prompt.

    A server's weights cannot be pinned: of those only the name is known. Another address is not another key.
    """
    if not settings.enabled:
        return {}
    looked = caption_detections.identity(settings.detectors())
    return {**_identity_of_captioner(settings), **looked}


def _identity_of_captioner(settings: CaptionsSettings) -> Mapping[str, str]:
    if settings.model == CUES:
        return {"weights": f"{CUES}-{cues.VERSION}"}
    prompt = caption_prompt(settings.prompt)
    words = hashlib.sha256(f"{prompt.system}\n{prompt.text}".encode()).hexdigest()
    if settings.server:
        return {"weights": f"server:{settings.model}", "prompt": words}
    model = caption_models.find(settings.model)
    shown = {"pictures": f"{model.long_side} px {dict(model.images)}"} if model else {}
    return {"weights": _revision(settings.model), "prompt": words, **shown}


def _clip(utterance: Utterance, found: Mapping[str, Sequence[Keyframe]], spoken_words: bool) -> Clip:
    frames = found.get(utterance.utterance_id, ())
    jpegs, times = tuple(frame.jpeg for frame in frames), tuple(frame.time_s for frame in frames)
    return Clip(jpegs, times, utterance.text if spoken_words else "")


def _by_cues(
    utterances: Sequence[Utterance], frames: Mapping[str, Sequence[Keyframe]], found: Found, *, tell: bool
) -> Iterator[Caption | Rejected]:
    names = (utterance.utterance_id for utterance in utterances)
    described = (cues.describe(frames.get(name, ()), found.get(name, cues.NOTHING), tell=tell) for name in names)
    yield from rows_of(utterances, described, frames, Provenance(CUES, f"{CUES}-{cues.VERSION}", CUES), None, found)


def refuse_unknown_world(folder: Path, corpora: Iterable[str], settings: CaptionsSettings) -> None:
    """Raises SettingsError where the captioner in ``folder`` knows only another corpus than one of ``corpora``."""
    world = world_of(folder)
    foreign = sorted({*corpora} - {world})
    if world and foreign and not settings.force:
        raise SettingsError(
            f"captions.model = {settings.model!r} knows only the drawn world of the {world} corpus, not "
            f'{", ".join(foreign)}: set captions.model = "smolvlm2-256m" or another of docs/captions.md '
            "(captions.force = true uses it all the same)"
        )


def _in_process(settings: CaptionsSettings, utterances: Sequence[Utterance], context: Context) -> tuple[Captioner, str]:
    folder = _folder(settings, context)
    refuse_unknown_world(folder, (utterance.corpus for utterance in utterances), settings)
    revision = _revision(settings.model)
    return _captioner(folder, revision, settings), revision


def _served(settings: CaptionsSettings) -> tuple[Captioner, str]:
    with _loading:
        captioner = _connect(settings)
    return captioner, captioner.revision()


@lru_cache(maxsize=1)
def _connect(settings: CaptionsSettings) -> ServerCaptioner:
    """One for all shards, so that they share its limits."""
    return ServerCaptioner(settings.server_of(), settings.model, settings.server_requests)


def _folder(settings: CaptionsSettings, context: Context) -> Path:
    name = str(DEMO_FOLDER) if settings.model == DEMO else settings.model
    return weights.resolve(name, context.cache, progress=context.progress)


def _revision(model: str) -> str:
    """The shipped folder is small enough to be read whole; other names are identified as model/weights.py says."""
    if model != DEMO:
        return weights.identity(model)
    weight_files.check(DEMO_FOLDER)
    digests = [f"{path.name} {weight_files.file_sha256(path)}" for path in weight_files.files(DEMO_FOLDER)]
    return f"demo-sha256:{hashlib.sha256(chr(10).join(digests).encode()).hexdigest()}"


def processes_of(settings: CaptionsSettings, numbers: int) -> int:
    """Processes for a model of so many numbers."""
    if settings.processes is not None:
        return settings.processes
    return default_processes(memory_of(settings, numbers))


def memory_of(settings: CaptionsSettings, numbers: int) -> int:
    """Bytes that one process needs at its height, an estimate; of a model that is not in the table for its weights."""
    model, size = caption_models.find(settings.model), 2 if machine.has_gpu() else 4
    if model is None:
        return round(size * caption_models.HEADROOM * numbers) + caption_models.LIBRARIES
    frames, limit = settings.max_frames, settings.limit()
    return model.memory(size, settings.batch_size, frames, limit) + caption_models.LIBRARIES


def _captioner(folder: Path, revision: str, settings: CaptionsSettings) -> Captioner:
    with _loading:
        return _load(folder, revision, settings)


@lru_cache(maxsize=1)
def _load(folder: Path, revision: str, settings: CaptionsSettings) -> Captioner:  # noqa: ARG001
    model = caption_models.find(settings.model)
    processes = processes_of(settings, sum(prod(shape) for shape in weight_files.shapes(folder).values()))
    if processes == 0:
        return TransformersCaptioner(folder, settings.batch_size, model)
    job = Job(folder, model, threads=max(1, machine.cores() // processes))
    return ProcessCaptioner(job, settings.batch_size, processes, settings.timeout_s)


STAGE = Stage(
    name="captions",
    version=3,
    reads=("utterances", "keyframes"),
    writes="captions",
    row=Caption,
    totals=("n_tokens", "n_frames"),
    settings=CaptionsSettings,
    run=run,
    videos=True,
    identity=identity,
    gpu=True,
)
