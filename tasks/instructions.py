"""instructions: one prompt with its answer per utterance, cut to length exactly, for training and prediction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, repeat
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from model import prompt, weights
from model.dialogue import Caption, Instruction, Rejected, Utterance
from model.emotions import LabelWords, answer
from model.errors import WeightsError
from model.fitting import Asked, Fitted, Fitter, Unfit
from tasks import few_shot, nearest
from tasks.few_shot import By, dialogue_of
from tasks.stage import Context, Rows, Stage, StageSettings

_TOGETHER = 256  # prompts tokenised in one call
_tokenizing = Lock()  # a fast tokenizer cannot be used by two threads at once


class InstructionsSettings(StageSettings):
    """How a line of dialogue is put to the language model."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"model"})  # the tokenizer's identity is in the key

    preset: prompt.Preset = "sound"
    """"sound": short and clean, in the model's chat form. "paper": the released template, which has no place for a
    description. "paper-video": the same with a video section."""

    context: Annotated[int, Field(ge=0, le=100)] | Literal["all"] = 2
    """Lines shown before the one to label, or "all" of its dialogue; the paper found two the best."""

    speaker: prompt.Speaker = "name"
    """"name", "role" (A, B, … by order of appearance) or "off" (the paper's choice)."""

    description: bool = True
    """Use the caption of the utterance's video, where there is one."""

    suffix: prompt.Suffix = "off"
    """EmotionPrompt's sentences behind the task: "career", "sure", "both" (the paper's StimuliLLM) or "off"."""

    label_words: LabelWords = "own"
    """"own": the corpus's labels as they are. "unified": in the paper's words (happiness, anger, …), one vocabulary
    for several corpora; scores are in the corpus's labels all the same."""

    shots: int = Field(default=0, ge=0, le=20)
    """Train lines shown with their labels before the dialogue, never of the dialogue itself; the paper tried 0, 1, 5
    and 10. They lengthen every prompt: see max_tokens."""

    shots_by: By = "seed"
    """"seed": drawn at random. "class": one of each label in turn. "nearest": those most like the line to label (the
    cosine of their TF-IDF), never one that says the same after the same line; the most alike stands last, next to the
    dialogue, and is the last to be cut."""

    shots_pool: int = Field(default=few_shot.POOL, ge=1, le=1_000_000)
    """Train lines to take the shots from, at least; whole shards are drawn by the seed until they hold so many."""

    max_tokens: int = Field(default=512, ge=32, le=131_072)
    """Longest prompt with its answer, in tokens. What does not fit loses context, oldest first, then shots, the last
    first, then the end of the description; the line to label and the answer are never cut."""

    seed: int = 0
    """Seed of the shots."""

    model: str = weights.DEFAULT
    """The language model whose tokenizer counts and whose chat template is used; the same as finetune.model."""

    def key_fields(self) -> dict[str, Any]:
        """As always, but what is off stays out: the seed of no shots must not make prompts anew."""
        fields = super().key_fields()
        off = ["suffix"] * (self.suffix == "off") + ["label_words"] * (self.label_words == "own")
        off += ["shots", "shots_by", "seed"] * (self.shots == 0)
        off += ["shots_pool"] * (self.shots == 0 or self.shots_pool == few_shot.POOL)
        return {name: value for name, value in fields.items() if name not in off}

    def described(self) -> bool:
        return self.description and self.preset != "paper"

    def variant(self) -> str:
        """A short name of these settings: ``sound-c2-name-desc``, ``sound-call-name-nodesc-both-5class-unified``."""
        more: list[str] = [self.suffix] if self.suffix != "off" else []
        more += [f"{self.shots}{self.shots_by}"] if self.shots else []
        more += [self.label_words] if self.label_words == "unified" else []
        described = "desc" if self.described() else "nodesc"
        return "-".join([self.preset, f"c{self.context}", self.speaker, described, *more])

    def window(self, before: Sequence[Utterance]) -> Sequence[Utterance]:
        """Those of the lines before an utterance that are shown."""
        if self.context == "all":
            return before
        return before[-self.context :] if self.context else ()


def run(rows: Rows, settings: InstructionsSettings, context: Context) -> Iterator[Instruction | Rejected]:
    """An Instruction or a Rejected for each utterance, in their order.

    Context is the lines before it in its own dialogue, shots are drawn from ``rows["examples"]``. Without any
    captions the prompts are text only.
    """
    utterances: Sequence[Utterance] = rows["utterances"]
    if not utterances:
        return
    captions = {row.utterance_id: row for row in rows["captions"]} if settings.described() else {}
    tokenizer = load_tokenizer(weights.resolve(settings.model, context.cache, progress=context.progress))
    fitter = Fitter(
        *(tokenizer, settings.preset, settings.speaker, settings.max_tokens, settings.suffix, settings.label_words),
        best_shot_last=settings.shots_by == "nearest",
    )
    done = 0
    waiting = _asked(utterances, captions, _shots(rows, settings), settings)
    while some := list(islice(waiting, _TOGETHER)):
        with _tokenizing:
            found = fitter.fit_all(some)
        for asked, fitted in zip(some, found, strict=True):
            yield _row(asked.utterance, fitted, captions.get(asked.utterance.utterance_id), settings)
        done += len(some)
        context.progress(done, len(utterances), "prompts")


def identity(settings: InstructionsSettings) -> Mapping[str, str]:
    """What else decides the prompts: their text in model/prompt.py, the tokenizer and its chat template, the draw."""
    drawn = {"examples": str(few_shot.VERSION)} if settings.shots else {}
    if settings.shots and settings.shots_by == "nearest":
        drawn["nearest"] = str(nearest.VERSION)
    return {"prompt": str(prompt.VERSION), "tokenizer": weights.identity(settings.model), **drawn}


def _shots(rows: Rows, settings: InstructionsSettings) -> Iterator[tuple[Utterance, ...]]:
    """The worked examples of each utterance."""
    if not settings.shots:
        return repeat((), len(rows["utterances"]))
    return few_shot.examples(rows["utterances"], rows["examples"], settings.shots, settings.shots_by, settings.seed)


def _asked(
    utterances: Sequence[Utterance],
    captions: Mapping[str, Caption],
    shots: Iterable[tuple[Utterance, ...]],
    settings: InstructionsSettings,
) -> Iterator[Asked]:
    dialogues: dict[str, list[Utterance]] = {}
    for utterance, examples in zip(utterances, shots, strict=True):
        dialogue = dialogue_of(utterance.utterance_id)
        before = dialogues.setdefault(dialogue, [])
        caption = captions.get(utterance.utterance_id)
        shown = tuple(settings.window(before))  # a copy: the list grows before the prompt is made
        yield Asked(utterance, shown, caption.text if caption else "", examples)
        before.append(utterance)


def _row(
    utterance: Utterance, fitted: Fitted | Unfit, caption: Caption | None, settings: InstructionsSettings
) -> Instruction | Rejected:
    if isinstance(fitted, Unfit):
        return Rejected(utterance.utterance_id, "instructions", fitted.reason, str(fitted))
    return Instruction(
        utterance_id=utterance.utterance_id,
        variant=settings.variant(),
        messages=fitted.prompt.messages,
        prompt=fitted.prompt.text,
        answer=answer(utterance.corpus, utterance.emotion, settings.label_words),
        n_prompt_tokens=fitted.n_tokens,
        context_ids=tuple(line.utterance_id for line in fitted.context),
        caption_key=_caption_key(caption) if caption and fitted.words else None,
        cuts=fitted.cuts,
    )


def _caption_key(caption: Caption) -> str:
    return f"{caption.model}@{caption.revision}/{caption.prompt_id}"


@lru_cache(maxsize=2)
def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model's folder. Raises WeightsError where it cannot be loaded."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{folder}: its tokenizer cannot be loaded: {reason}; fetch the model again") from error


STAGE = Stage(
    name="instructions",
    version=1,
    reads=("utterances", "captions"),
    writes="instructions",
    row=Instruction,
    settings=InstructionsSettings,
    run=run,
    identity=identity,
    examples=True,
)
