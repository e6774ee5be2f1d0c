"""What a grid found: each cell's scores over its seeds, and its difference from the cell it is compared with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from model.dialogue import Metric, Prediction, corpus_of
from model.errors import DialogueError
from storage import ledger
from storage.layout import Layout
from storage.ledger import Record
from storage.shards import read_rows
from tasks import paper_results
from tasks.bootstrap import interval, resample
from tasks.compare import Pair, mean_differences
from tasks.floors import FLOORS
from tasks.plan import Run, done, load
from tasks.run import ShardRows
from tasks.score import ScoreSettings
from tasks.stages import BY_NAME
from tasks.systems import Said
from tasks.tally import OVERALL, answers_of, dialogue_of, scores, tally

VERSION = 1
"""To be raised with every change of what is computed: it is part of the key under which rows are kept."""

FLOOR = "floor:"
"""What the names of cells begin with that are no run: what needs no language model at all."""

STAGES = {"dev": "calibrate", "test": "evaluate"}
Seeds = Mapping[int | None, Run]


def update(layout: Layout, record: Record) -> None:
    """Brings the record's rows up to date; what its runs have not changed is not computed again.

    A cell whose predictions cannot be read has no rows, and stands under ``unread`` with the reason.
    """
    rows: list[Record] = []
    record["unread"] = {}
    keys: dict[str, str] = {}
    runs = _runs(layout, record)
    for split in STAGES:
        for cell in record["cells"]:
            against = _against(record, cell["base"])
            own, other = (runs.get((split, cell["base"], name), {}) for name in (cell["cell"], against))
            if not own:
                continue
            name = f"{split} {cell['base']}/{cell['cell']}"
            key = _key([*own.values(), *other.values()], split, cell, record["paper"])
            kept = [row for row in record["rows"] if _is(row, cell["base"], cell["cell"], split)]
            try:
                if record["keys"].get(name) != key or not kept:
                    kept = _rows(cell, split, own, {} if cell["cell"] == against else other, record["paper"])
                floors = _floors(cell, split, next(iter(own.values()))) if cell["cell"] == against else []
            except DialogueError as error:  # a damaged file: the other cells have theirs
                record["unread"][name] = str(error)
                continue
            keys[name] = key
            rows += [*kept, *floors]
    record["rows"], record["keys"] = rows, keys


def best(rows: Sequence[Record], base: str, split: str = "dev") -> str | None:
    """The cell of the highest weighted F1 on dev, the mean over corpora where a base has several; None without any."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if (row["base"], row["split"], row["metric"]) == (base, split, "weighted_f1") and not _is_floor(row["cell"]):
            found.setdefault(row["cell"], []).append(row["value"])
    return max(found, key=lambda cell: sum(found[cell]) / len(found[cell]), default=None)


def _is_floor(cell: str) -> bool:
    return cell.startswith(FLOOR)


def _is(row: Record, base: str, cell: str, split: str) -> bool:
    return bool((row["base"], row["cell"], row["split"]) == (base, cell, split))


def _against(record: Record, base: str) -> str:
    return next((cell["cell"] for cell in record["cells"] if cell["base"] == base and cell["against"]), "")


def _runs(layout: Layout, record: Record) -> dict[tuple[str, str, str], dict[int | None, Run]]:
    """The runs that have predicted a split, by split, base and cell, and by seed."""
    found: dict[tuple[str, str, str], dict[int | None, Run]] = {}
    for entry in sorted(record["runs"], key=lambda entry: bool(entry["test"])):
        try:
            run = load(layout, entry["run_id"]) if entry["run_id"] else None
        except DialogueError:  # its record was deleted, or it never came so far
            run = None
        for split, name in STAGES.items() if run else ():
            stage = BY_NAME[name]
            if run and run.keys[name] and (shards := run.shards_of(stage)) and done(run, stage) == len(shards):
                found.setdefault((split, entry["base"], entry["cell"]), {})[entry["seed"]] = run
    return found


def _key(runs: Sequence[Run], split: str, cell: Record, paper: str | None) -> str:
    """Changes with what was predicted, and with what is computed of it."""
    stage = BY_NAME[STAGES[split]]
    made = [
        (ledger.shard_state(run.layout, stage.writes, run.key(stage), shard)[1] or {}).get("sha256")
        for run in runs
        for shard in run.shards_of(stage) or ()
    ]
    how = [(run.run_id, run.settings["score"].model_dump(mode="json")) for run in runs]
    text = json.dumps([VERSION, split, cell, paper, made, how], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _rows(cell: Record, split: str, own: Seeds, other: Seeds, paper: str | None) -> list[Record]:
    """A row per corpus and score."""
    first = {seed: _said(run, split) for seed, run in own.items()}
    second = {seed: _said(run, split) for seed, run in other.items()}
    settings = next(iter(own.values())).settings["score"]
    assert isinstance(settings, ScoreSettings)
    rows = []
    for corpus in dict.fromkeys(corpus_of(name) for one in first.values() for name in one.answers):
        ours = {seed: _of(one, corpus) for seed, one in first.items()}
        theirs = {seed: _of(one, corpus) for seed, one in second.items()}
        changes = _changes(ours, theirs, corpus, split, settings)
        for metric, found in _scores([*ours.values()], corpus, settings).items():
            about = {name: cell[name] for name in ("base", "cell", "settings", "against", "planned")}
            about |= {"system": next(iter(first.values())).system, "corpus": corpus, "split": split, "metric": metric}
            about |= {"runs": len(own), "run_ids": [run.run_id for run in own.values()]}
            named: Record = {"paper": None, "paper_row": None}
            if paper and cell["paper"]:
                printed = paper_results.value(paper, cell["paper"], corpus, metric)
                named = {"paper": printed, "paper_row": f"{paper}, {cell['paper']}"}
            rows.append({**about, **found, **changes.get(metric, _NO_CHANGE), **named})
    return rows


_NO_CHANGE: Record = dict.fromkeys(
    ("difference", "difference_low", "difference_high", "p", "swap_p", "detectable", "left_out")
)


def _said(run: Run, split: str) -> Said:
    """What the run is about: the tuned model, the untuned one where none was tuned, or a server's."""
    rows: Sequence[Prediction] = ShardRows(run, BY_NAME["score"], 0)[BY_NAME[STAGES[split]].writes]
    systems = answers_of(rows)
    system = min(systems, key=lambda name: (name != "tuned", name != "untuned", name))
    return Said(run, system, {row.utterance_id: row.gold for row in rows if row.system == system}, systems[system])


def _of(said: Said, corpus: str) -> Said:
    return _only(said, [name for name in said.answers if corpus_of(name) == corpus])


def _only(said: Said, lines: Sequence[str]) -> Said:
    return Said(
        said.run,
        said.system,
        {name: said.gold[name] for name in lines},
        {name: said.answers[name] for name in lines},
    )


def _scores(seeds: Sequence[Said], corpus: str, settings: ScoreSettings) -> dict[str, Record]:
    """Mean and deviation of each score over the seeds, and the interval of the mean over dialogues drawn anew."""
    import numpy as np

    lines = [name for name in seeds[0].answers if all(name in one.answers for one in seeds)]
    dialogues = list(dict.fromkeys(map(dialogue_of, lines)))
    counts = np.stack([tally(corpus, one.gold, _only(one, lines).answers, dialogues) for one in seeds], axis=1)
    values, drawn = scores(counts.sum(0)), scores(resample(counts, settings.resamples, settings.seed))
    found = {}
    for metric in OVERALL:
        low, high = interval(drawn[metric].mean(-1)) or (None, None)
        found[metric] = {
            "utterances": len(lines),
            "dialogues": len(dialogues),
            "value": float(values[metric].mean()),
            "sd": float(values[metric].std(ddof=1)) if len(seeds) > 1 else None,
            "low": low,
            "high": high,
        }
    return found


def _changes(
    ours: Mapping[int | None, Said],
    theirs: Mapping[int | None, Said],
    corpus: str,
    split: str,
    settings: ScoreSettings,
) -> dict[str, Record]:
    """The difference of the means by score, on the lines that all have, seed against seed; a model without seeds
    stands against each of the other's. None where they have no seed in common."""
    if None in theirs or None in ours:
        both = [(one, other) for one in ours.values() for other in theirs.values()]
    else:
        both = [(ours[seed], theirs[seed]) for seed in ours if seed in theirs]
    lines = [name for name in next(iter(ours.values())).answers if all(name in s.answers for p in both for s in p)]
    if not both or not lines:
        return {}
    left_out = max(len(one.answers) + len(other.answers) - 2 * len(lines) for one, other in both)
    pairs = [Pair(_only(one, lines), _only(other, lines), corpus, split, (0, 0)) for one, other in both]
    return {
        row.metric: {
            "difference": row.difference,
            "difference_low": row.low,
            "difference_high": row.high,
            "p": row.p,
            "swap_p": row.swap_p,
            "detectable": row.detectable,
            "left_out": left_out,
        }
        for row in mean_differences(pairs, settings.resamples, settings.seed)
    }


def _floors(cell: Record, split: str, run: Run) -> list[Record]:
    """What the floors of a run's score stage reach on the split, as cells of their own."""
    stage = BY_NAME["score"]
    if not done(run, stage):
        return []
    metrics: list[Metric] = read_rows(run.layout, stage.writes, run.key(stage), 0)
    counts = {(m.system, m.corpus, m.metric): m.value for m in metrics if m.split == split and m.label is None}
    rows = []
    for one in metrics:
        if one.split == split and one.label is None and one.metric in OVERALL and one.system in FLOORS:
            about: dict[str, Any] = {"base": cell["base"], "cell": FLOOR + one.system, "settings": {}, "against": False}
            about |= {"system": one.system, "corpus": one.corpus, "split": split, "metric": one.metric}
            about |= {"runs": 1, "planned": 1, "run_ids": [run.run_id], "value": one.value, "sd": None}
            about |= {"utterances": round(counts[one.system, one.corpus, "support"]), "low": one.low, "high": one.high}
            about |= {"dialogues": round(counts[one.system, one.corpus, "dialogues"]), "paper": None, "paper_row": None}
            rows.append({**about, **_NO_CHANGE})
    return rows
