"""Models that describe an utterance's frames: the ``Captioner`` protocol and one that runs in this process.

``TransformersCaptioner`` runs any checkpoint that AutoModelForImageTextToText and AutoProcessor can load. Lines with
the same number of pictures, and of pixels in them, are described together.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from model import vlm
from model.caption_chat import Clip, chat, form_of, spoken
from model.caption_models import CaptionModel
from model.caption_prompt import CaptionPrompt
from model.errors import SettingsError, VideoError
from model.pictures import decode_jpeg
from model.plain import control_tokens
from model.template_process import bounded

_log = logging.getLogger(__name__)

MAX_RATIO = 100
"""Of a picture's sides; some models' processors give up at 200."""

Chat = list[dict[str, Any]]
"""Messages as processors of transformers take them, pictures among them."""


@dataclass(frozen=True, slots=True)
class Described:
    """What a model says of one utterance: ``text`` as generated and untrusted, chat tokens included.

    ``n_tokens`` counts generated tokens with the end token, ``n_frames`` the different pictures it was shown;
    ``seconds`` is the utterance's share of its batch's wall time. ``n_prompt_tokens`` counts those read before,
    pictures' among them and padding not; 0 where nobody counts.
    """

    text: str
    n_frames: int
    n_tokens: int
    seconds: float
    n_prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """Utterances by their places in the list, ready for the model; ``faults`` are those that cannot be shown."""

    indices: list[int]
    inputs: Any
    faults: dict[int, Described | VideoError]


class Captioner(Protocol):
    """Describes utterances."""

    def describe(
        self,
        clips: Sequence[Clip],
        prompt: CaptionPrompt,
        max_new_tokens: int,
        progress: Callable[[int], None] = ...,
    ) -> list[Described | VideoError]:
        """One result for each utterance's clip, in order.

        An utterance whose pictures or words cannot be used gets a VideoError and the others their descriptions.
        ``progress`` is called with the number of utterances done so far.
        """
        ...


class TransformersCaptioner:
    """A checkpoint folder run in this process: float32 on the CPU, bfloat16 on CUDA; greedy, so deterministic.

    ``model`` says how pictures are shown: its size, and arguments of its image processor. None: as they are.
    In float32 the texts do not depend on ``batch_size`` (utterances described at once). Out of memory halves the
    batch, once a call; SettingsError if that is not enough. WeightsError for a folder that cannot be loaded.
    """

    def __init__(self, folder: Path, batch_size: int = 16, model: CaptionModel | None = None) -> None:
        self.folder = folder
        self.batch_size = batch_size
        self.beat: Callable[[], None] | None = None
        """Called after each token of a batch: that of a process which must show that it goes on."""
        self._long_side = model.long_side if model else None
        self._model, self._processor = vlm.load(folder, model.images if model else None)
        self._form = form_of(self._processor)
        thinks = "enable_thinking" in str(self._processor.chat_template)
        self._unthinking = {"enable_thinking": False} if thinks else {}  # what is thought first would use up the tokens
        tokenizer = self._processor.tokenizer
        self._controls = control_tokens(tokenizer)
        self._control_ids = {*tokenizer.all_special_ids, *tokenizer.convert_tokens_to_ids(list(self._controls))}
        self._control_ids -= {tokenizer.unk_token_id}
        self._reading = threading.Lock()  # two threads may not use a fast tokenizer at once
        self._talking = threading.Lock()  # some models keep state of their own between the steps of one generation

    def describe(
        self,
        clips: Sequence[Clip],
        prompt: CaptionPrompt,
        max_new_tokens: int,
        progress: Callable[[int], None] = lambda _done: None,
    ) -> list[Described | VideoError]:
        distinct = [clip.distinct() for clip in clips]
        waiting = sorted(range(len(distinct)), key=lambda index: distinct[index].size())
        results: dict[int, Described | VideoError] = {}
        halved = False
        while waiting:
            batch = waiting[: self.batch_size]
            try:
                results |= self._describe_batch({i: distinct[i] for i in batch}, prompt, max_new_tokens)
            except (RuntimeError, MemoryError) as error:
                if not _is_out_of_memory(error):
                    raise
                self._halve(halved, error)
                halved = True
                continue
            waiting = waiting[len(batch) :]
            progress(len(results))
        return [results[index] for index in range(len(clips))]

    def _describe_batch(
        self, clips: dict[int, Clip], prompt: CaptionPrompt, max_new_tokens: int
    ) -> dict[int, Described | VideoError]:
        started = time.perf_counter()
        batch = self._prepare(clips, prompt)
        results = dict(batch.faults)
        if batch.indices:
            answers = self._generate(batch.inputs, max_new_tokens)
            share = (time.perf_counter() - started) / len(batch.indices)
            mask = batch.inputs.get("attention_mask")
            read = [0] * len(answers) if mask is None else mask.sum(dim=1).tolist()
            for index, (text, n_tokens), n_read in zip(batch.indices, answers, read, strict=True):
                results[index] = Described(text, len(clips[index].jpegs), n_tokens, share, n_read)
        return results

    def _prepare(self, clips: dict[int, Clip], prompt: CaptionPrompt) -> Batch:
        faults: dict[int, Described | VideoError] = {}
        chats: dict[int, Chat] = {}
        for index, clip in clips.items():
            try:
                chats[index] = self._chat(clip, prompt)
            except VideoError as error:
                faults[index] = error
        if not chats:
            return Batch([], {}, faults)
        with self._reading, bounded(str(self.folder)):
            inputs = self._processor.apply_chat_template(
                list(chats.values()),
                add_generation_prompt=True,
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                processor_kwargs={"padding": True},
                **self._unthinking,
            )
        return Batch([*chats], inputs, faults)

    def _chat(self, clip: Clip, prompt: CaptionPrompt) -> Chat:
        if not clip.jpegs:
            raise VideoError("no_frames", "there is no keyframe to describe")
        shown = [decode_jpeg(jpeg, self._long_side) for jpeg in clip.jpegs]
        if any(max(picture.size) > MAX_RATIO * min(picture.size) for picture in shown):
            raise VideoError("odd_picture", f"a keyframe is more than {MAX_RATIO} times as long as it is wide, or high")
        pictures = [{"type": "image", "image": picture} for picture in shown]
        with self._reading:
            ids = self._processor.tokenizer.encode(spoken(clip.words, self._controls), add_special_tokens=False)
            if self._control_ids.intersection(ids):
                detail = "its words would become a control token of the model; set captions.spoken_words = false"
                raise VideoError("control_tokens", detail)
        return chat(clip, prompt, pictures, self._form, self._controls)

    def _generate(self, inputs: Any, max_new_tokens: int) -> list[tuple[str, int]]:
        """Text and number of tokens for each utterance."""
        import torch

        inputs = inputs.to(self._model.device, self._model.dtype)
        with self._talking, torch.inference_mode():
            rows = self._model.generate(**inputs, max_new_tokens=max_new_tokens, streamer=_streamer(self.beat))
        rows = rows[:, inputs["input_ids"].shape[1] :].tolist()
        ends = set(self._model.generation_config.eos_token_id)
        lengths = [next((n for n, token in enumerate(row) if token in ends), len(row)) for row in rows]
        with self._reading:
            # Special tokens stay in the text: a model that goes on with another turn must be seen to do so.
            texts = [self._processor.decode(row[:n]) for row, n in zip(rows, lengths, strict=True)]
        return [(text, min(n + 1, len(row))) for text, row, n in zip(texts, rows, lengths, strict=True)]

    def _halve(self, already: bool, error: Exception) -> None:
        if already or self.batch_size == 1:
            raise SettingsError(
                f"out of memory with {self.batch_size} utterances at once in {self.folder}: set captions.batch_size "
                "lower, or captions.max_frames, or choose a smaller captions.model"
            ) from error
        self.batch_size //= 2
        _log.warning("out of memory: going on with %d utterances at once", self.batch_size)


def _streamer(beat: Callable[[], None] | None) -> Any:
    """What ``generate`` tells of each token."""
    from transformers.generation.streamers import BaseStreamer

    class Beat(BaseStreamer):  # type: ignore[misc]
        def put(self, _tokens: Any) -> None:
            if beat:
                beat()

        def end(self) -> None:
            pass

    return Beat() if beat else None


def _is_out_of_memory(error: BaseException) -> bool:
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)
