"""Why did the model say that? Each part of one prompt is left out in turn, and the labels are scored again.

The prompts are written by what writes the instructions; whole, theirs must be the stored one byte for byte.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from model.dialogue import Instruction, Utterance, split_of
from model.errors import SettingsError, WorkspaceError
from model.fitting import Fitter, Unfit
from model.prompt import Shown, Speaker
from storage import ledger
from storage.shards import read_columns, read_rows
from tasks.export import finished_shards
from tasks.export_model import finished_adapter
from tasks.instructions import STAGE, InstructionsSettings, fitter_of, shots_of
from tasks.label_scoring import ScoredRow
from tasks.plan import Run
from tasks.publish import publish
from tasks.run import ShardRows
from tasks.stage import Context, Progress, no_progress
from tasks.tuned_scores import score

_LEAST = 1e-300  # a probability below it is taken for it: its logarithm stays finite


@dataclass(frozen=True, slots=True)
class Moved:
    """What leaving one ``part`` out does (context 1 is the line just before; example 1 the first one shown).

    ``text`` is what the part says. ``without`` are the probabilities (0 to 1) of the predicted and of the gold label
    then, ``moved`` how much more probable the part makes each, ``log_odds`` the same in nats; all (predicted, gold).
    ``says`` is the label that is likeliest without the part.
    """

    part: str
    text: str
    without: tuple[float, float]
    moved: tuple[float, float]
    log_odds: tuple[float, float]
    says: str


@dataclass(frozen=True, slots=True)
class Explained:
    """``whole`` are the probabilities of the predicted and of the gold label by the prompt as it stands."""

    run_id: str
    utterance: Utterance
    predicted: str
    gold: str
    whole: tuple[float, float]
    parts: tuple[Moved, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Given:
    """What a prompt is written from: the lines shown, the last to be labelled, the description, examples best first."""

    lines: tuple[Utterance, ...]
    description: str
    shots: tuple[Utterance, ...]
    speaker: Speaker


def explain(run: Run, utterance_id: str, progress: Progress = no_progress) -> Explained:
    """Which part moved which label. An utterance of test is put on record as a reading of it.

    Raises SettingsError for an utterance that the run does not have, WorkspaceError where it has no prompt, no
    adapter is finished, or today's program writes other prompts.
    """
    finished_adapter(run)
    shard, rows = _find(run, utterance_id)
    if split_of(utterance_id) == "test":
        ledger.record_reading(run.layout, run.run_id, run.keys["finetune"], "explain", 1)
        publish(run)
    stored = next(
        (row for row in read_rows(run.layout, STAGE.writes, run.key(STAGE), shard) if row.utterance_id == utterance_id),
        None,
    )
    if stored is None:
        how = run.typed(f"rejects {run.run_id} {STAGE.name}")
        raise WorkspaceError(f"{utterance_id} has no prompt: `{how}` says why")
    settings = run.settings[STAGE.name]
    assert isinstance(settings, InstructionsSettings)
    given = _given(rows, stored, settings)
    parts = list(_left_out(given))
    texts = _written(run, settings, [given, *(one for _, _, one in parts)])
    if texts[0] != stored.prompt:
        how = run.typed(f"run {run.record['source']}")
        raise WorkspaceError(f"today's program does not write the prompt of {utterance_id} that is stored: `{how}`")
    scored = score(run, [replace(stored, prompt=text) for text in texts], progress)
    return _explained(run, given, scored, [(name, text) for name, text, _ in parts], _notes(given, stored))


def _find(run: Run, utterance_id: str) -> tuple[int, ShardRows]:
    """The shard of an utterance, and its rows."""
    known: list[str] = []
    for item in run.shards() or []:
        (ids,) = read_columns(run.layout, "utterances", run.keys["ingest"] or "", item["shard"], ["utterance_id"])
        if utterance_id in ids:
            finished_shards(run, item["split"])
            return item["shard"], ShardRows(run, STAGE, item["shard"])
        known += ids
    near = difflib.get_close_matches(utterance_id, known, n=3, cutoff=0.6)
    hint = f"did you mean {', '.join(near)}?" if near else f"its ids look like {', '.join(known[:2])}"
    raise SettingsError(f"{run.run_id} has no utterance {utterance_id!r}: {hint}")


def _given(rows: ShardRows, stored: Instruction, settings: InstructionsSettings) -> _Given:
    """What the stored prompt shows, after what was cut of it."""
    cut = {name: int(count) for name, _, count in (what.partition(":") for what in stored.cuts)}
    lines = {row.utterance_id: row for row in rows["utterances"]}
    captions = {row.utterance_id: row.text for row in rows["captions"]} if settings.described() else {}
    words = captions.get(stored.utterance_id, "").split()
    shots = shots_of(rows, settings).get(stored.utterance_id, ())
    return _Given(
        lines=tuple(lines[name] for name in (*stored.context_ids, stored.utterance_id)),
        description=" ".join(words[: len(words) - cut.get("description", 0)]),
        shots=shots[: len(shots) - cut.get("shots", 0)],
        speaker=settings.speaker,
    )


def _left_out(given: _Given) -> Iterator[tuple[str, str, _Given]]:
    """Each part's name and text, and what is given without it."""
    *context, _ = given.lines
    for place, row in enumerate(context):
        rest = given.lines[:place] + given.lines[place + 1 :]
        yield f"context {len(context) - place}", f"{row.speaker}: {row.text}", replace(given, lines=rest)
    if given.speaker != "off":
        names = dict.fromkeys(row.speaker for row in given.lines)
        yield "speakers", ", ".join(names), replace(given, speaker="off")
    if given.description:
        yield "description", given.description, replace(given, description="")
    for place, row in enumerate(given.shots):
        rest = given.shots[:place] + given.shots[place + 1 :]
        yield f"example {place + 1}", f"{row.text} => {row.emotion}", replace(given, shots=rest)


def _written(run: Run, settings: InstructionsSettings, given: Sequence[_Given]) -> list[str]:
    context = Context(cache=run.layout.cache, folder=run.layout.model(run.key(STAGE)))
    fitters: dict[Speaker, Fitter] = {}
    texts = []
    for one in given:
        if one.speaker not in fitters:
            fitters[one.speaker] = fitter_of(settings.model_copy(update={"speaker": one.speaker}), context)
        fitter, last = fitters[one.speaker], len(one.lines) - 1
        lines = fitter.lines([row.speaker for row in one.lines], [row.text for row in one.lines])
        (made,) = fitter.fit_all(lines, [Shown(one.lines[last].corpus, 0, last, one.description, one.shots)])
        if isinstance(made, Unfit):
            raise WorkspaceError(
                f"{one.lines[last].utterance_id}: no prompt can be written without a part of it: {made}"
            )
        texts.append(made.prompt.text)
    return texts


def _explained(
    run: Run, given: _Given, scored: Sequence[ScoredRow], parts: Sequence[tuple[str, str]], notes: Sequence[str]
) -> Explained:
    whole, *others = scored
    both = (whole.scored.best, whole.gold)
    before = [(one.scored.probabilities[both[0]], one.scored.probabilities[both[1]]) for one in scored]
    odds = [tuple(_log_odds(one.scored.probabilities, place) for place in both) for one in scored]
    moved = [
        Moved(
            *(name, text, without),
            (before[0][0] - without[0], before[0][1] - without[1]),
            (odds[0][0] - its[0], odds[0][1] - its[1]),
            one.labels[one.scored.best],
        )
        for one, (name, text), without, its in zip(others, parts, before[1:], odds[1:], strict=True)
    ]
    predicted, gold = (whole.labels[place] for place in both)
    return Explained(run.run_id, given.lines[-1], predicted, gold, before[0], tuple(moved), tuple(notes))


def _log_odds(probabilities: Sequence[float], place: int) -> float:
    rest = sum(p for at, p in enumerate(probabilities) if at != place)
    return math.log(max(probabilities[place], _LEAST)) - math.log(max(rest, _LEAST))


def _notes(given: _Given, stored: Instruction) -> list[str]:
    split = split_of(stored.utterance_id)
    said = {
        "test": "test: this is on record as a reading of it",
        "train": "train: the model was tuned on this very line",
    }
    notes = [f"It is of {said[split]}."] if split in said else []
    if not given.description:
        notes.append(
            "Its prompt has no description of the video (no caption, or none wanted), so none can be left out."
        )
    if stored.cuts:
        notes.append(f"The prompt was cut to fit: {', '.join(stored.cuts)}; what was cut is no part of it.")
    return notes
