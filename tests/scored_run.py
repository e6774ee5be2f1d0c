"""Recorded runs of the real pipeline with utterances and predictions made by hand, for tests of what reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flows.direct import execute
from flows.settings import validate
from model.atomic import write_json
from model.dialogue import Prediction, Utterance
from model.emotions import labels
from storage import ledger
from storage.layout import open_workspace
from storage.shards import write_shard
from tasks.drive import Selection, drive
from tasks.plan import Run, resolve
from tasks.publish import publish
from tasks.stages import BY_NAME

TRAIN = ("neutral", "neutral", "joy", "anger")
HIT = 0.7


def line(split: str, dialogue: int, turn: int, emotion: str, corpus: str = "demo") -> Utterance:
    where = (corpus, split, str(dialogue), turn, str(turn))
    return Utterance("/".join((*where[:3], str(turn))), *where, "Ana", f"So {emotion} we are, {turn}.", emotion)


def corpus_lines(dialogues: int = 12, corpus: str = "demo") -> list[Utterance]:
    """Train, dev and test lines; four a dialogue."""
    sizes = {"train": 3, "dev": dialogues, "test": dialogues}
    return [
        line(split, dialogue, turn, emotion, corpus)
        for split, count in sizes.items()
        for dialogue in range(count)
        for turn, emotion in enumerate(TRAIN)
    ]


def says(row: Utterance, label: str | None, system: str = "tuned", share: float = HIT) -> Prediction:
    """A prediction that gives ``label`` the probability ``share`` and the others the same each."""
    names = labels(row.corpus)
    scores = {name: share if name == label else (1 - share) / (len(names) - 1) for name in names} if label else {}
    return Prediction(row.utterance_id, system, row.emotion, label, scores, label or "?", 0.1)


def right_but(rows: Sequence[Utterance], wrong: Sequence[int], system: str = "tuned", label: str = "fear") -> list[Any]:
    """Predictions of test lines that are right but for those at the places ``wrong``."""
    return [says(row, label if place in wrong else row.emotion, system) for place, row in enumerate(rows)]


def recorded(
    root: Path,
    predictions: Sequence[Prediction],
    utterances: Sequence[Utterance] | None = None,
    tables: Mapping[str, Mapping[str, Any]] | None = None,
    name: str = "demo",
    dev: Sequence[Prediction] = (),
) -> Run:
    """A published run: shard 0 train, 1 dev, 2 test; ``tables`` are settings by stage, ``dev`` what calibrate found."""
    layout = open_workspace(root / "workspace", create=True)
    values = {"name": name, "ingest": {"corpus": "demo"}, "captions": {"enabled": False}, **(tables or {})}
    values |= {"calibrate": {"enabled": True}} if dev else {}
    run = resolve(name, layout, validate(values, "test"), "test.toml")
    run.record.update(ledger.save_run(layout, run.record))
    rows = corpus_lines() if utterances is None else utterances
    shards = {split: [row for row in rows if row.split == split] for split in ("train", "dev", "test")}
    key = run.key(BY_NAME["ingest"])
    listed = [{"shard": n, "split": split, "rows": len(part)} for n, (split, part) in enumerate(shards.items())]
    write_json(layout.shard_list(key), {"shards": listed, "rows": len(rows), "rejects": 0})
    for number, part in enumerate(shards.values()):
        write_shard(layout, "utterances", key, number, part, {})
    write_shard(layout, "predictions", run.key(BY_NAME["evaluate"]), 2, predictions, {})
    if dev:
        write_shard(layout, "dev_predictions", run.key(BY_NAME["calibrate"]), 1, dev, {})
    publish(run)
    return run


def scored(run: Run) -> Run:
    """The same run with its score stage done."""
    drive(run, Selection(("score",)), execute, engine="direct")
    return run
