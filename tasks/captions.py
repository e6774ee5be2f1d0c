"""captions: what a vision-language model sees in each utterance's keyframes, cleaned and judged."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from model import weight_files, weights
from model.caption_chat import Clip
from model.caption_prompt import caption_prompt
from model.caption_text import clean, fault_of
from model.captioner import Captioner, Described, TransformersCaptioner
from model.chat_server import ChatServer, is_plain_address
from model.dialogue import Caption, Keyframe, Rejected, Utterance
from model.emotions import emotion_words
from model.errors import SettingsError, VideoError
from model.server_captioner import ServerCaptioner
from model.vlm import DEMO_FOLDER, world_of
from tasks.stage import SECRET, Context, Rows, Stage, StageSettings

DEMO = "demo"
_loading = Lock()


class CaptionsSettings(StageSettings):
    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset(
        {"batch_size", "force", "server", "server_key_env", "server_per_minute", "server_requests", "server_timeout_s"}
    )

    enabled: bool = True
    """False leaves the videos out: instructions are then written without a description."""
    model: str = DEMO
    """The shipped captioner ("demo"), or any vision-language model by its hub name or folder, or by a server's name."""
    prompt: str = "describe"
    """A preset (describe, facial-cues, paper-like) or the instruction itself."""
    spoken_words: bool = False
    """Show the model the line's words too, quoted, so that it can tell who might be speaking."""
    max_new_tokens: int | None = Field(default=None, ge=8, le=1024)
    """The longest caption, in tokens. None: the preset's own limit (160, 128, 96), 160 for an instruction."""
    max_frames: int = Field(default=4, ge=1, le=16)
    """Keyframes shown for one utterance; of more, these many are taken evenly spread over time."""
    batch_size: int = Field(default=16, ge=1, le=512)
    """Utterances described at once. Halved when memory runs out."""
    force: bool = False
    """Let a captioner that knows only the demo's drawn world describe another corpus."""
    server: str | None = None
    """Address of an OpenAI-compatible API that runs captions.model: "http://127.0.0.1:8000/v1". None: this process."""
    server_requests: int = Field(default=8, ge=1, le=256)
    """Requests to the server at once."""
    server_timeout_s: float = Field(default=120.0, gt=0, le=3600)
    """Seconds that the server may take for one answer."""
    server_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable that holds the server's key; unset where it needs none."""
    server_per_minute: int | None = Field(default=None, ge=1, le=100_000)
    """Requests to the server in a minute. None: no limit."""

    def key_fields(self) -> dict[str, Any]:
        """As always, with the limit that holds; words that are not shown stay out."""
        fields = {**super().key_fields(), "max_new_tokens": self.limit()}
        return {name: value for name, value in fields.items() if name != "spoken_words" or value}

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

    @field_validator("server")
    @classmethod
    def _plain_address(cls, value: str | None) -> str | None:
        if value is None or is_plain_address(value):
            return value
        told = "must be http://HOST:PORT/v1 or https://…, without user, password, query and fragment"
        raise PydanticCustomError(SECRET, told)

    @field_validator("server_key_env")
    @classmethod
    def _name_of_variable(cls, value: str) -> str:
        if re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", value):
            return value
        raise PydanticCustomError(SECRET, "must be the name of an environment variable in capitals, not the key itself")

    @model_validator(mode="after")
    def _model_of_server(self) -> Self:
        if self.server and self.enabled and self.model == DEMO:
            raise PydanticCustomError(
                SECRET, "with captions.server set captions.model to the server's name of the model"
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
    captioner, revision = _served(settings) if settings.server else _in_process(settings, utterances, context)
    prompt = caption_prompt(settings.prompt)
    total = len(utterances)
    described = captioner.describe(
        list(clips_of(utterances, rows["keyframes"], settings)),
        prompt,
        settings.limit(),
        lambda done: context.progress(done, total, "utterances"),
    )
    for utterance, result in zip(utterances, described, strict=True):
        if isinstance(result, VideoError):
            yield _rejected(utterance, result.reason, str(result))
            continue
        text = clean(result.text)
        if fault := fault_of(text):
            yield _rejected(utterance, *fault)
        else:
            yield _caption(utterance, text, result, settings.model, revision, prompt.prompt_id)


def identity(settings: CaptionsSettings) -> Mapping[str, str]:
    """What else decides the captions: the weights and the words of the prompt.

    A server's weights cannot be pinned: of those only the name is known. Another address is not another key.
    """
    if not settings.enabled:
        return {}
    prompt = caption_prompt(settings.prompt)
    words = hashlib.sha256(f"{prompt.system}\n{prompt.text}".encode()).hexdigest()
    return {"weights": f"server:{settings.model}" if settings.server else _revision(settings.model), "prompt": words}


def server_of(settings: CaptionsSettings, timeout_s: float | None = None) -> ChatServer:
    """The server that ``settings.server`` names; ``timeout_s`` instead of the settings' own."""
    return ChatServer(
        settings.server or "",
        key_env=settings.server_key_env,
        timeout_s=timeout_s or settings.server_timeout_s,
        per_minute=settings.server_per_minute,
    )


def frames_by_utterance(keyframes: Sequence[Keyframe], max_frames: int) -> dict[str, list[Keyframe]]:
    """The frames to show for each utterance id, in order of time, at most ``max_frames`` and evenly spread."""
    found: dict[str, list[Keyframe]] = {}
    ordered = sorted(keyframes, key=lambda frame: (frame.utterance_id, frame.rank))
    for utterance_id, group in groupby(ordered, key=lambda frame: frame.utterance_id):
        frames = list(group)
        count = min(max_frames, len(frames))
        found[utterance_id] = [frames[(2 * i + 1) * len(frames) // (2 * count)] for i in range(count)]
    return found


def clips_of(
    utterances: Sequence[Utterance], keyframes: Sequence[Keyframe], settings: CaptionsSettings
) -> Iterator[Clip]:
    """What is shown of each utterance, in their order."""
    found = frames_by_utterance(keyframes, settings.max_frames)
    for utterance in utterances:
        frames = found.get(utterance.utterance_id, [])
        jpegs, times = tuple(frame.jpeg for frame in frames), tuple(frame.time_s for frame in frames)
        yield Clip(jpegs, times, utterance.text if settings.spoken_words else "")


def refuse_unknown_world(folder: Path, utterances: Sequence[Utterance], settings: CaptionsSettings) -> None:
    """Raises SettingsError where the captioner in ``folder`` knows another corpus than that of ``utterances`` alone."""
    world = world_of(folder)
    foreign = sorted({utterance.corpus for utterance in utterances} - {world})
    if world and foreign and not settings.force:
        raise SettingsError(
            f"captions.model = {settings.model!r} knows only the drawn world of the {world} corpus, not "
            f'{", ".join(foreign)}: set captions.model = "HuggingFaceTB/SmolVLM2-256M-Video-Instruct" '
            "(captions.force = true uses it all the same)"
        )


def _in_process(settings: CaptionsSettings, utterances: Sequence[Utterance], context: Context) -> tuple[Captioner, str]:
    folder = _folder(settings, context)
    refuse_unknown_world(folder, utterances, settings)
    revision = _revision(settings.model)
    return _captioner(folder, revision, settings.batch_size), revision


def _served(settings: CaptionsSettings) -> tuple[Captioner, str]:
    with _loading:
        captioner = _connect(settings)
    return captioner, captioner.revision()


@lru_cache(maxsize=1)
def _connect(settings: CaptionsSettings) -> ServerCaptioner:
    """One for all shards, so that they share its limits."""
    return ServerCaptioner(server_of(settings), settings.model, settings.server_requests)


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


def _captioner(folder: Path, revision: str, batch_size: int) -> Captioner:
    with _loading:
        return _load(folder, revision, batch_size)


@lru_cache(maxsize=1)
def _load(folder: Path, revision: str, batch_size: int) -> Captioner:  # noqa: ARG001
    return TransformersCaptioner(folder, batch_size)


def _caption(utterance: Utterance, text: str, result: Described, model: str, revision: str, prompt_id: str) -> Caption:
    return Caption(
        utterance_id=utterance.utterance_id,
        text=text,
        model=model,
        revision=revision,
        prompt_id=prompt_id,
        n_frames=result.n_frames,
        n_tokens=result.n_tokens,
        emotion_words=emotion_words(text),
        seconds=result.seconds,
    )


def _rejected(utterance: Utterance, reason: str, detail: str) -> Rejected:
    return Rejected(utterance.utterance_id, "captions", reason, detail)


STAGE = Stage(
    name="captions",
    version=2,
    reads=("utterances", "keyframes"),
    writes="captions",
    row=Caption,
    settings=CaptionsSettings,
    run=run,
    videos=True,
    identity=identity,
    gpu=True,
)
