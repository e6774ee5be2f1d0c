"""The one number a day: weighted F1 of each system that an attempt scored, beside the last one that is comparable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from storage import ledger
from storage.ledger import Record
from storage.shards import read_rows
from tasks.floors import FLOORS
from tasks.plan import Run

METRIC = "weighted_f1"


@dataclass(frozen=True, slots=True)
class Headline:
    """Weighted F1 (0 to 1) of one system on a corpus's lines of a split, and what it was before; None for the first.

    ``previous`` names the attempt that it is compared with: run id, slash, number.
    """

    corpus: str
    split: str
    system: str
    utterances: int
    weighted_f1: float
    previous: str | None = None
    previous_f1: float | None = None

    @property
    def change(self) -> float | None:
        return None if self.previous_f1 is None else self.weighted_f1 - self.previous_f1


def scored(run: Run) -> list[Record]:
    """What an attempt keeps of its scores, for later ones to be compared with: a record per corpus, split and system.

    The floors are left out: they say something of the corpus alone.
    """
    key = run.keys["score"]
    rows = [row for row in read_rows(run.layout, "metrics", key, 0) if row.label is None] if key else []
    lines = {_home(row): int(row.value) for row in rows if row.metric == "support"}
    return [
        {**_home_of(row), "utterances": lines.get(_home(row), 0), METRIC: row.value}
        for row in rows
        if row.metric == METRIC and row.system not in FLOORS
    ]


def headlines(run: Run) -> list[Headline]:
    """Of the last attempt of a run, where it scored, each beside the last comparable score.

    Comparable is what was scored on the same corpus and split, as many lines and the same system, by an earlier
    attempt of a run of the same name or of the same settings up to its scores.
    """
    own = ledger.attempts(run.layout, run.run_id)[-1]
    scores = own.get("scores") or []
    earlier = list(_earlier(run, own)) if scores else []
    return [_beside(record, earlier) for record in scores]


def _earlier(run: Run, own: Record) -> Iterator[Record]:
    """Attempts to compare with, the latest first."""
    found = []
    for record in ledger.runs(run.layout):
        if record["name"] == run.name or _score_key(record) == run.keys["score"]:
            found += [item for item in ledger.attempts(run.layout, record["run_id"]) if item.get("scores")]
    found = [item for item in found if str(item["started_at"]) < str(own["started_at"])]
    yield from sorted(found, key=lambda item: str(item["started_at"]), reverse=True)


def _beside(record: Record, earlier: list[Record]) -> Headline:
    for attempt in earlier:
        for other in attempt["scores"]:
            if all(other.get(name) == record[name] for name in record if name != METRIC):
                return Headline(
                    **record, previous=f"{attempt['run_id']}/{attempt['attempt']}", previous_f1=other[METRIC]
                )
    return Headline(**record)


def _score_key(record: Record) -> str | None:
    key = record["stages"].get("score", {}).get("key")
    return None if key is None else str(key)


def _home_of(row: Any) -> Record:
    return {"corpus": row.corpus, "split": row.split, "system": row.system}


def _home(row: Any) -> tuple[str, str, str]:
    return row.corpus, row.split, row.system
