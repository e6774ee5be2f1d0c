"""The report's sentences: what a reader must know before believing a score, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from model.dialogue import SPLITS, Rejected, TrainingStep, Utterance, corpus_of
from tasks.corpora.leaks import REASON as LEAK
from tasks.page import percent
from tasks.report_scores import Scores

_COARSE = 0.05
"""An interval wider than this to either side deserves a warning (that is about 400 lines)."""

FEW_DIALOGUES = 20
"""Of fewer dialogues than these a bootstrap knows too little."""


def lead(scores: Scores, *, named: bool = False) -> str:
    """The result in two sentences; empty without scores. ``named``: of which corpus it is."""
    subject = scores.subject()
    if subject is None or subject.accuracy is None:
        return ""
    name = {"tuned": "tuned model", "untuned": "untuned model"}.get(subject.system, f"model {subject.system}")
    lines = f"{subject.n:,} {scores.corpus} {scores.split}" if named else f"{subject.n:,} {scores.split}"
    bounds = subject.bounds.get("accuracy")
    sure = f" (95\u00a0% interval {percent(bounds[0])} to {percent(bounds[1])})" if bounds else ""
    right = f"{percent(subject.accuracy)}\u00a0% of {lines} lines"
    first = f"The {name} names the emotion of {right} as the annotators did{sure}."
    others = [
        f"{words} {percent(item.accuracy)}\u00a0%"
        for item in scores.systems()
        if item.accuracy is not None and (words := _OTHERS.get(item.system)) and item.system != subject.system
    ]
    return f"{first} For comparison: {', '.join(others)}." if others else first


_OTHERS = {
    "untuned": "the model before tuning",
    "tfidf_lr": "TF-IDF with logistic regression",
    "majority": "always the commonest label",
}


def notes(
    about: Mapping[str, Any],
    utterances: Sequence[Utterance],
    steps: Sequence[TrainingStep],
    scores: Sequence[Scores],
    rejects: Sequence[Rejected] = (),
) -> list[str]:
    """What limits the result: no video, a subset, leaks, a short training, few test lines. ``scores``: by corpus."""
    return [
        *_input_notes(about, utterances),
        *_leak_note(about, rejects),
        *_training_notes(about, utterances, steps),
        *_share_note(about),
        *(note for one in scores for note in _score_notes(one, utterances, named=len(scores) > 1)),
    ]


def readings(about: Mapping[str, Any]) -> str:
    """How often the test split was read by what this report is about; empty where the run's record does not tell.

    A second look is allowed and never hidden: what is changed after one is chosen on the test split.
    """
    found = about.get("test_readings")
    if not found:
        return ""
    times = "once" if len(found) == 1 else f"{len(found):,} times"
    asked = settings_of(about, "evaluate")
    untuned = f"the model {asked.get('model')}" if asked.get("server") else "the untuned model"
    tuned = about.get("stages", {}).get("finetune", {}).get("key")
    who = "this adapter" if tuned else f"{untuned} in this run"
    runs = sorted({read["run_id"] for read in found})
    among = f", in the runs {', '.join(runs)}" if len(runs) > 1 else ""
    return f"The test split was read {times} by {who}{among}, up to when this page was made."


def settings_of(about: Mapping[str, Any], stage: str) -> Mapping[str, Any]:
    """A stage's settings in the record of the run; empty where it has none."""
    return about.get("stages", {}).get(stage, {}).get("settings") or {}


def is_off(about: Mapping[str, Any], stage: str) -> bool:
    """Whether the record says that a stage did not run."""
    stages = about.get("stages", {})
    return stage in stages and not stages[stage].get("key")


def _input_notes(about: Mapping[str, Any], utterances: Sequence[Utterance]) -> Iterator[str]:
    seen = {line.corpus for line in utterances if line.video}
    if utterances and not seen:
        yield "Text only: no video was given, captions off."
    elif is_off(about, "captions"):
        yield "Captions off: the model read the text alone."
    elif _unused(settings_of(about, "instructions")):
        yield "Captions were made, but the model did not get to read them (see the settings of instructions)."
    elif unseen := sorted({line.corpus for line in utterances} - seen):
        yield f"No video of {' and '.join(unseen)} was given: the model reads their text alone."
    ingest = settings_of(about, "ingest")
    for part in (ingest, *ingest.get("parts", ())):
        if limits := part.get("dialogues"):
            parts = [f"{count:,} of {split}" for split in SPLITS if (count := limits.get(split))]
            name = "the corpus" if part is ingest else part.get("labels") or part.get("corpus")
            yield f"A declared subset of {name}: at most {', '.join(parts)} dialogues."


def _leak_note(about: Mapping[str, Any], rejects: Sequence[Rejected]) -> Iterator[str]:
    ingest = settings_of(about, "ingest")
    dropped = Counter(corpus_of(row.utterance_id) for row in rejects if (row.stage, row.reason) == ("ingest", LEAK))
    if dropped:
        parts = ", ".join(f"{count:,} of {corpus}" for corpus, count in sorted(dropped.items()))
        yield f"Train and dev lines that stand in a test split were left out: {parts}."
    elif ingest.get("parts") and ingest.get("leaks") == "keep":
        yield "Train and dev lines that stand in a test split were kept: the scores may measure memory."


def _unused(instructions: Mapping[str, Any]) -> bool:
    return instructions.get("description") is False or instructions.get("preset") == "paper"


def _training_notes(
    about: Mapping[str, Any], utterances: Sequence[Utterance], steps: Sequence[TrainingStep]
) -> Iterator[str]:
    if is_off(about, "finetune"):
        yield "No model was tuned: finetune is off."
        return
    limit = settings_of(about, "finetune").get("max_examples")
    total = sum(line.split == "train" for line in utterances)
    if limit and limit < total:
        yield f"Training used a declared subset: {limit:,} of {total:,} train lines."
    if steps and steps[-1].epoch < 0.995:
        yield f"Training stopped after {steps[-1].step:,} steps, {steps[-1].epoch:.2f} of one pass over its lines."


def _share_note(about: Mapping[str, Any]) -> Iterator[str]:
    share = settings_of(about, "evaluate").get("share", 1)
    if share < 1:
        yield f"A declared share of the test dialogues was scored: {percent(share)}\u00a0%."


def _score_notes(scores: Scores, utterances: Sequence[Utterance], *, named: bool) -> Iterator[str]:
    subject = scores.subject()
    if subject is None or not subject.n:
        return
    split = f"{scores.corpus} {scores.split}" if named else scores.split
    total = sum(line.split == scores.split and scores.corpus in (None, line.corpus) for line in utterances)
    if subject.n < total:
        yield f"{total - subject.n:,} of {total:,} {split} lines have no score."
    low, high = subject.bounds.get("accuracy", (0.0, 0.0))
    if high - low > 2 * _COARSE or subject.dialogues < FEW_DIALOGUES:
        yield _few(subject.n, subject.dialogues, split, round(50 * (high - low)))


def _few(n: int, dialogues: int, split: str, half: int) -> str:
    text = f"Few {split} lines: {n:,} in {dialogues:,} dialogues."
    if half:
        text += f" An accuracy of them is uncertain by about {half} points either way."
    if dialogues < FEW_DIALOGUES:
        text += " With so few dialogues the interval itself is uncertain, and rather too narrow."
    return text
