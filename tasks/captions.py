"""captions: what a vision-language model sees in each utterance's keyframes, cleaned and judged."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import ClassVar, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from model import weight_files, weights
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
    """A preset (describe, facial-cues) or the instruction itself."""
    max_new_tokens: int = Field(default=96, ge=8, le=1024)
    """The longest caption, in tokens."""
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
    frames = frames_by_utterance(rows["keyframes"], settings.max_frames)
    total = len(utterances)
    described = captioner.describe(
        [frames.get(utterance.utterance_id, []) for utterance in utterances],
        prompt,
        settings.max_new_tokens,
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
    words = hashlib.sha256(caption_prompt(settings.prompt).text.encode()).hexdigest()
    if not settings.enabled:
        return {}
    return {"weights": f"server:{settings.model}" if settings.server else _revision(settings.model), "prompt": words}


def server_of(settings: CaptionsSettings, timeout_s: float | None = None) -> ChatServer:
    """The server that ``settings.server`` names; ``timeout_s`` instead of the settings' own."""
    return ChatServer(
        settings.server or "",
        key_env=settings.server_key_env,
        timeout_s=timeout_s or settings.server_timeout_s,
        per_minute=settings.server_per_minute,
    )


def frames_by_utterance(keyframes: Sequence[Keyframe], max_frames: int) -> dict[str, list[bytes]]:
    """The JPEGs to show for each utterance id, in order of time, at most ``max_frames`` and evenly spread."""
    found: dict[str, list[bytes]] = {}
    ordered = sorted(keyframes, key=lambda frame: (frame.utterance_id, frame.rank))
    for utterance_id, group in groupby(ordered, key=lambda frame: frame.utterance_id):
        jpegs = [frame.jpeg for frame in group]
        count = min(max_frames, len(jpegs))
        found[utterance_id] = [jpegs[(2 * i + 1) * len(jpegs) // (2 * count)] for i in range(count)]
    return found


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
    version=1,
    reads=("utterances", "keyframes"),
    writes="captions",
    row=Caption,
    settings=CaptionsSettings,
    run=run,
    videos=True,
    identity=identity,
    gpu=True,
)
