"""report: one HTML file that shows a run: scores, figures, examples, rejected rows and how it was made.

The page holds no script and loads nothing; every text in it is escaped. Same rows, same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import Field

from model.atomic import replacing
from model.dialogue import (
    SPLITS,
    Metric,
    Prediction,
    Rejected,
    ReportFile,
    TrainingStep,
    Utterance,
    corpus_of,
    split_of,
)
from tasks import paper_results
from tasks.page import environment
from tasks.report_effects import PAPER_TABLE, Kind, Neutral, Printed, caption_kinds, neutral_bias, printed
from tasks.report_examples import Example, examples
from tasks.report_figures import Figures, figures, training
from tasks.report_scores import NO_ANSWER, TITLES, Confused, Scores
from tasks.report_words import is_off, lead, notes, readings, settings_of
from tasks.stage import Context, Rows, Stage, StageSettings

ORDER = ("ingest", "keyframes", "captions", "instructions", "finetune", "calibrate", "evaluate", "score", "report")
"""The pipeline's stages as the page lists them (tasks/stages.py imports this module, so it cannot be asked)."""

_MAX_GROUPS, _MAX_DETAILS, _MAX_PAIRS = 30, 3, 5


class ReportSettings(StageSettings):
    """What the report shows."""

    examples: int = Field(default=8, ge=0, le=100)
    """Lines shown with their keyframes, caption and prediction: half of them right, half wrong; shared by corpora."""


@dataclass(frozen=True, slots=True)
class Block:
    """What the page shows of one corpus. ``name`` is empty where the run has no other; ``systems`` are those that
    predicted, by name, with their titles."""

    name: str
    scores: Scores
    system_title: str
    examples: list[Example]
    figures: Figures
    confused: list[tuple[Confused, list[Utterance]]]
    printed: list[Printed]
    neutral: list[Neutral]
    captions: list[Kind]
    systems: Mapping[str, str]


def run(rows: Rows, settings: ReportSettings, context: Context) -> Iterator[ReportFile]:
    """Writes ``index.html`` into ``context.folder`` and yields it. Whatever table is empty is left out and said so."""
    context.progress(0, 1, "report")
    page = render(rows, settings, context.about).encode()
    with replacing(context.folder / "index.html") as temporary:
        temporary.write_bytes(page)
    context.progress(1, 1, "report")
    yield ReportFile("index.html", len(page), hashlib.sha256(page).hexdigest())


def render(rows: Rows, settings: ReportSettings, about: Mapping[str, Any]) -> str:
    """The page of these rows. ``about`` is the run's record; what it lacks is not shown."""
    return environment().get_template("report.html.jinja").render(_page(rows, settings, about))


def _page(rows: Rows, settings: ReportSettings, about: Mapping[str, Any]) -> dict[str, Any]:
    utterances: Sequence[Utterance] = rows.get("utterances", ())
    steps: Sequence[TrainingStep] = rows.get("training_log", ())
    metrics: Sequence[Metric] = rows.get("metrics", ())
    rejects: Sequence[Rejected] = rows.get("rejects", ())
    corpora = list(dict.fromkeys([row.corpus for row in utterances] + [row.corpus for row in metrics]))
    scores = [Scores(metrics, corpus) for corpus in corpora] or [Scores((), None)]
    several = len(scores) > 1
    stages = _stages(about)
    return {
        "about": about,
        "facts": _facts(utterances, about),
        "leads": [text for one in scores if (text := lead(one, named=several))],
        "notes": notes(about, utterances, steps, scores, rejects),
        "blocks": [_block(rows, one, -(-settings.examples // len(scores)), named=several) for one in scores],
        "readings": readings(about),
        "paper": {"source": paper_results.source(), "table": PAPER_TABLE},
        "scored": any(one.systems() for one in scores),
        "training": training(steps),
        "rejects": _rejects(rejects, [stage["name"] for stage in stages]),
        "stages": stages,
        "costs": _costs(about),
        "versions": _versions(about),
    }


def _block(rows: Rows, scores: Scores, count: int, *, named: bool) -> Block:
    predictions: list[Prediction] = [
        row for row in rows.get("predictions", ()) if scores.corpus in (None, corpus_of(row.utterance_id))
    ]
    subject = scores.subject()
    system = subject.system if subject else "tuned" if any(row.system == "tuned" for row in predictions) else "untuned"
    split = [row for row in predictions if split_of(row.utterance_id) == scores.split]
    shown = [row for row in split if row.system == system]
    systems = sorted({row.system for row in split}, key=lambda name: (name != system, name))
    return Block(
        name=scores.corpus or "" if named else "",
        scores=scores,
        system_title=TITLES.get(system, system),
        examples=examples(rows, shown, count),
        figures=figures(scores, shown),
        confused=_confused(rows, scores, system, shown),
        printed=printed(scores),
        neutral=neutral_bias(scores),
        captions=caption_kinds(rows, split),
        systems={name: TITLES.get(name, name) for name in systems},
    )


def _confused(
    rows: Rows, scores: Scores, system: str, shown: Sequence[Prediction]
) -> list[tuple[Confused, list[Utterance]]]:
    """The commonest mistakes, each with the lines of it that the system was surest of."""
    lines = {row.utterance_id: row for row in rows.get("utterances", ())}
    found = []
    for pair in scores.confused(system, _MAX_PAIRS):
        said = None if pair.predicted == NO_ANSWER else pair.predicted
        wrong = [row for row in shown if (row.gold, row.predicted) == (pair.gold, said)]
        wrong.sort(key=lambda row: (-row.scores.get(said or "", 0.0), row.utterance_id))
        ids = [row.utterance_id for row in wrong if row.utterance_id in lines][:_MAX_DETAILS]
        found.append((pair, [lines[name] for name in ids]))
    return found


def _facts(utterances: Sequence[Utterance], about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the run is about, as (term, value)."""
    facts = []
    for corpus in dict.fromkeys(line.corpus for line in utterances):
        own = [line for line in utterances if line.corpus == corpus]
        splits = {split: [line for line in own if line.split == split] for split in SPLITS}
        counts = [
            f"{split} {len(lines):,} lines in {len({line.dialogue_id for line in lines}):,} dialogues"
            for split, lines in splits.items()
            if lines
        ]
        facts.append(("Corpus", f"{corpus}: {'; '.join(counts)}"))
    asked = settings_of(about, "evaluate")
    if model := asked.get("model") if asked.get("server") else settings_of(about, "finetune").get("model"):
        facts.append(("Language model", str(model)))
    if (captioner := settings_of(about, "captions").get("model")) and not is_off(about, "captions"):
        facts.append(("Captioner", str(captioner)))
    return facts


def _rejects(rejects: Sequence[Rejected], order: Sequence[str]) -> dict[str, Any]:
    """Rejected rows by stage and reason, each kind with its count and its first few."""
    kinds: dict[tuple[str, str], list[Rejected]] = {}
    for row in rejects:
        kinds.setdefault((row.stage, row.reason), []).append(row)
    place = {name: number for number, name in enumerate(order)}
    ordered = sorted(kinds, key=lambda kind: (place.get(kind[0], len(place)), -len(kinds[kind]), kind))
    groups = [
        {"stage": stage, "reason": reason, "count": len(found), "first": found[:_MAX_DETAILS]}
        for stage, reason in ordered[:_MAX_GROUPS]
        if (found := kinds[stage, reason])
    ]
    return {"total": len(rejects), "groups": groups, "more": len(ordered) - len(groups)}


def _stages(about: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The run's stages in the pipeline's order: key, the keys it was made from, settings; all as text."""
    record: Mapping[str, Any] = about.get("stages", {})  # from a file its names are in the order of the alphabet
    names = [*(name for name in ORDER if name in record), *sorted(record.keys() - set(ORDER))]
    return [
        {
            "name": name,
            "key": record[name].get("key"),
            "upstream": sorted((record[name].get("upstream") or {}).items(), key=lambda item: names.index(item[0])),
            "settings": [(key, written(value)) for key, value in sorted(settings_of(about, name).items())],
        }
        for name in names
    ]


def written(value: Any) -> str:
    """A setting as the page shows it."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _costs(about: Mapping[str, Any]) -> dict[str, Any]:
    """What each stage cost that is done, and all together: shards, rows, rejects, seconds of work, bytes, tokens."""
    done = [row for row in about.get("costs", ()) if row.get("done")]
    names = ("done", "row_count", "rejects", "seconds", "bytes", "tokens")
    return {"stages": done, "total": {name: sum(row.get(name) or 0 for row in done) for name in names}}


def _versions(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    machine: Mapping[str, Any] = about.get("machine", {})
    python = [("python", machine["python"])] if "python" in machine else []
    return [*python, *sorted(machine.get("versions", {}).items())]


STAGE = Stage(
    name="report",
    version=5,
    reads=("utterances", "keyframes", "captions", "training_log", "predictions", "metrics"),
    writes="reports",
    row=ReportFile,
    settings=ReportSettings,
    run=run,
    unit=True,
)
