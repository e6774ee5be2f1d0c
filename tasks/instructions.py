"""instructions: one prompt with its answer per utterance, cut to length exactly, for training and prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from model import prompt, weights
from model.dialogue import Instruction, Rejected, Utterance
from model.emotions import LabelWords, answer
from model.errors import WeightsError
from model.fitting import Fitted, Fitter, Unfit
from model.prompt import Shown
from storage.tables import Columns
from tasks import few_shot, nearest
from tasks.few_shot import By, dialogue_of
from tasks.stage import Context, Rows, Stage, StageSettings, columns

_LINE = ("utterance_id", "corpus", "speaker", "text", "emotion")  # what a prompt needs of an utterance
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

    def window(self, turn: int) -> int:
        """How many of the ``turn`` lines before an utterance are shown."""
        return turn if self.context == "all" else min(turn, self.context)


def run(rows: Rows, settings: InstructionsSettings, context: Context) -> Iterator[Columns | Rejected]:
    """An Instruction for each utterance, many together as Columns, or a Rejected; dialogue after dialogue.

    Context is the lines before it in its own dialogue, shots are drawn from ``rows["examples"]``. Without any
    captions the prompts are text only.
    """
    dialogues: dict[str, list[tuple[str, ...]]] = {}
    for line in zip(*columns(rows, "utterances", *_LINE), strict=True):
        dialogues.setdefault(dialogue_of(line[0]), []).append(line)
    if not dialogues:
        return
    ids, _, speakers, texts, emotions = zip(*chain.from_iterable(dialogues.values()), strict=True)
    captions = _captions(rows) if settings.described() else {}
    fitter = fitter_of(settings, context)
    lines = fitter.lines(speakers, texts)
    waiting = _shown(dialogues, captions, shots_of(rows, settings), settings)
    done = 0
    while some := list(islice(waiting, _TOGETHER)):
        with _tokenizing:
            found = fitter.fit_all(lines, some)
        yield from _results(some, found, ids, emotions, captions, settings)
        done += len(some)
        context.progress(done, len(ids), "prompts")


def identity(settings: InstructionsSettings) -> Mapping[str, str]:
    """What else decides the prompts: their text in model/prompt.py, the tokenizer and its chat template, the draw."""
    drawn = {"examples": str(few_shot.VERSION)} if settings.shots else {}
    if settings.shots and settings.shots_by == "nearest":
        drawn["nearest"] = str(nearest.VERSION)
    return {"prompt": str(prompt.VERSION), "tokenizer": weights.identity(settings.model), **drawn}


def fitter_of(settings: InstructionsSettings, context: Context) -> Fitter:
    """What writes and fits the prompts of these settings."""
    tokenizer = load_tokenizer(weights.resolve(settings.model, context.cache, progress=context.progress))
    return Fitter(
        *(tokenizer, settings.preset, settings.speaker, settings.max_tokens, settings.suffix, settings.label_words),
        best_shot_last=settings.shots_by == "nearest",
    )


def _captions(rows: Rows) -> dict[str, tuple[str, str]]:
    """Utterance id to the text of its caption and the name of the captions."""
    names = ("utterance_id", "text", "model", "revision", "prompt_id")
    cells = zip(*columns(rows, "captions", *names), strict=True)
    return {name: (text, f"{model}@{revision}/{prompt_id}") for name, text, model, revision, prompt_id in cells}


def shots_of(rows: Rows, settings: InstructionsSettings) -> dict[str, tuple[Utterance, ...]]:
    """Utterance id to its worked examples, where any are wanted."""
    if not settings.shots:
        return {}
    given = (rows["utterances"], rows["examples"], settings.shots, settings.shots_by, settings.seed)
    names = (row.utterance_id for row in rows["utterances"])
    return dict(zip(names, few_shot.examples(*given), strict=True))


def _shown(
    dialogues: Mapping[str, Sequence[tuple[str, ...]]],
    captions: Mapping[str, tuple[str, str]],
    shots: Mapping[str, tuple[Utterance, ...]],
    settings: InstructionsSettings,
) -> Iterator[Shown]:
    at = 0
    for lines in dialogues.values():
        for turn, (name, corpus, *_) in enumerate(lines):
            description, _ = captions.get(name, ("", ""))
            yield Shown(corpus, at - settings.window(turn), at, description, shots.get(name, ()))
            at += 1


def _results(
    shown: Sequence[Shown],
    found: Sequence[Fitted | Unfit],
    ids: Sequence[str],
    emotions: Sequence[str],
    captions: Mapping[str, tuple[str, str]],
    settings: InstructionsSettings,
) -> Iterator[Columns | Rejected]:
    made: list[tuple[Shown, Fitted]] = []
    for one, fitted in zip(shown, found, strict=True):
        if isinstance(fitted, Unfit):
            yield Rejected(ids[one.at], "instructions", fitted.reason, str(fitted))
        else:
            made.append((one, fitted))
    yield Columns(
        {
            "utterance_id": [ids[one.at] for one, _ in made],
            "variant": [settings.variant()] * len(made),
            "messages": [fitted.prompt.messages for _, fitted in made],
            "prompt": [fitted.prompt.text for _, fitted in made],
            "answer": [answer(one.corpus, emotions[one.at], settings.label_words) for one, _ in made],
            "n_prompt_tokens": [fitted.n_tokens for _, fitted in made],
            "context_ids": [ids[fitted.first : one.at] for one, fitted in made],
            "caption_key": [captions[ids[one.at]][1] if fitted.words else None for one, fitted in made],
            "cuts": [fitted.cuts for _, fitted in made],
        }
    )


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
    totals=("n_prompt_tokens",),
    examples=True,
)
