"""What the gallery shows of a run, held in memory: its lines with their captions, frames and answers.

It is read from the finished shards alone, once: a run that goes on writing is not disturbed, and a page costs
milliseconds however many shards there are. Pictures stay in the lake.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from model.dialogue import Instruction, Keyframe
from model.errors import WorkspaceError
from storage import ledger
from storage.shards import read_columns, read_table
from storage.tables import from_arrow
from tasks.gallery.filter import DIALOGUES, LINES, ORDERS, PER_PAGE, Filter, Listed
from tasks.plan import Run
from tasks.stage import Stage
from tasks.stages import BY_NAME

if TYPE_CHECKING:
    import duckdb

_COLUMNS = {
    "utterances": (
        *("utterance_id", "corpus", "split", "dialogue_id", "turn", "speaker", "text", "emotion"),
        *("video", "start_s", "end_s"),
    ),
    "captions": ("utterance_id", "text", "model", "emotion_words", "contradiction"),
    "keyframes": ("utterance_id", "rank", "time_s", "faces", "suspect"),
    "predictions": ("utterance_id", "system", "predicted", "scores", "raw"),
}
_MADE_BY = {"utterances": "ingest", "captions": "captions", "keyframes": "keyframes", "predictions": "evaluate"}


class Snapshot:
    """The lines of a run, and what it and perhaps another run say of them. Safe to ask from several threads.

    ``split``: only its lines. Raises WorkspaceError where there are none yet. ``missing`` counts shards by table that
    are not there.
    """

    def __init__(self, run: Run, against: Run | None = None, split: str = "") -> None:
        self.run, self.against = run, against
        self.missing: dict[str, int] = {}
        self.shard_of: dict[str, int] = {}
        self._memory = _database()
        for table in _COLUMNS:
            self._load(table, table, run)
        self._load("others", "predictions", against)
        self._memory.execute(LINES)
        self._memory.execute("DELETE FROM lines WHERE $split <> '' AND split <> $split", {"split": split})
        if not self._rows("SELECT 1 FROM lines LIMIT 1"):
            how = run.typed(f"run {run.record['source']}")
            of = f" of {split}" if split else ""
            raise WorkspaceError(f"{run.run_id} has no utterances{of} yet, so there is nothing to look at: `{how}`")
        self.choices = self._choices()

    def _load(self, name: str, table: str, run: Run | None) -> None:
        parts = list(self._parts(table, run)) if run else []
        incoming = pa.concat_tables([_empty(table), *parts], promote_options="default")
        self._memory.register("incoming", incoming)
        self._memory.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")
        self._memory.unregister("incoming")

    def _parts(self, table: str, run: Run) -> Iterator[pa.Table]:
        stage = BY_NAME[_MADE_BY[table]]
        key = run.keys[stage.name]
        cut = [item["shard"] for item in run.shards() or []] if stage.unit else run.shards_of(stage)
        for shard in cut or [] if key else []:
            state, _ = ledger.shard_state(run.layout, table, key or "", shard)
            if state != "done":
                self.missing[table] = self.missing.get(table, 0) + 1
                continue
            data = _read(run, table, key or "", shard)
            if table == "utterances":
                self.shard_of.update(dict.fromkeys(data.column("utterance_id").to_pylist(), shard))
            yield data

    def _choices(self) -> dict[str, list[str]]:
        """What a filter can be, by its field; systems first those that were tuned."""
        asked = {
            name: f"SELECT {name} FROM lines GROUP BY ALL ORDER BY count(*) DESC, {name}"
            for name in ("corpus", "split", "gold", "speaker")
        }
        asked["predicted"] = (
            "SELECT predicted FROM predictions WHERE predicted IS NOT NULL "
            "GROUP BY ALL ORDER BY count(*) DESC, predicted"
        )
        asked["system"] = "SELECT DISTINCT system FROM predictions ORDER BY system <> 'tuned', system"
        return {name: [row[0] for row in self._rows(text)] for name, text in asked.items()}

    def dialogues(self, wanted: Filter, *, every: bool = False) -> Listed:
        """One page of the dialogues that have a line which is ``wanted``, or all of them."""
        values = {name: getattr(wanted, name) for name in Filter.model_fields if name not in ("order", "page")}
        values["system"] = self.system(wanted.system)
        total, lines = self._rows(DIALOGUES + "SELECT count(*), coalesce(sum(found), 0) FROM dialogues", values)[0]
        limit = "" if every else f" LIMIT {PER_PAGE} OFFSET {PER_PAGE * (wanted.page - 1)}"
        text = f"{DIALOGUES} SELECT * FROM dialogues ORDER BY {ORDERS[wanted.order]}{limit}"
        return Listed(self._named(text, values), total, int(lines))

    def system(self, asked: str) -> str:
        """The system whose answers are shown: the one asked for, or the tuned model, or the first there is."""
        known = self.choices["system"]
        return asked if asked in known else next(iter(known), "")

    def lines(self, dialogue: str) -> list[dict[str, Any]]:
        """The lines of a dialogue in their order, each with ``frames`` and ``answers``; empty where there is none."""
        rows = self._named("SELECT * FROM lines WHERE dialogue = $dialogue ORDER BY turn", {"dialogue": dialogue})
        ids = [row["utterance_id"] for row in rows]
        found: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for table, order in (("keyframes", "rank"), ("predictions", "system"), ("others", "system")):
            text = f"SELECT * FROM {table} WHERE list_contains($ids, utterance_id) ORDER BY {order}"
            for row in self._named(text, {"ids": ids}):
                found.setdefault(row["utterance_id"], {}).setdefault(table, []).append(row)
        for row in rows:
            row.update(
                {
                    name: found.get(row["utterance_id"], {}).get(name, [])
                    for name in ("keyframes", "predictions", "others")
                }
            )
        return rows

    def dialogue_of(self, utterance_id: str) -> str | None:
        """The dialogue of a line, None where the run has no such line."""
        rows = self._rows("SELECT dialogue FROM lines WHERE utterance_id = $id", {"id": utterance_id})
        return rows[0][0] if rows else None

    def beside(self, dialogue: str) -> tuple[str | None, str | None]:
        """The dialogues before and after one, in the corpus's order."""
        text = (
            "SELECT max_by(dialogue, place) FILTER (place < here), min_by(dialogue, place) FILTER (place > here) FROM "
            "(SELECT DISTINCT dialogue, place, max(place) FILTER (dialogue = $dialogue) OVER () AS here FROM lines)"
        )
        before, after = self._rows(text, {"dialogue": dialogue})[0]
        return before, after

    def instruction(self, utterance_id: str) -> Instruction | None:
        """The prompt of a line, read from the lake; None where there is none."""
        found: list[Instruction] = self._rows_of(BY_NAME["instructions"], [utterance_id])
        return found[0] if found else None

    def frames(self, utterance_ids: Sequence[str]) -> list[Keyframe]:
        """The keyframes of some lines of one dialogue, read from the lake with their pictures."""
        return self._rows_of(BY_NAME["keyframes"], utterance_ids)

    def _rows_of(self, stage: Stage, utterance_ids: Sequence[str]) -> list[Any]:
        key, shard = self.run.keys[stage.name], self.shard_of.get(utterance_ids[0]) if utterance_ids else None
        if key is None or shard is None:
            return []
        if ledger.shard_state(self.run.layout, stage.writes, key, shard)[0] != "done":
            return []
        return from_arrow(stage.writes, read_table(self.run.layout, stage.writes, key, shard, utterance_ids))

    def _rows(self, text: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return self._memory.cursor().execute(text, _used(text, values)).fetchall()

    def _named(self, text: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        found = self._memory.cursor().execute(text, _used(text, values))
        names = [item[0] for item in found.description or []]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def _database() -> duckdb.DuckDBPyConnection:
    import duckdb

    from storage.warehouse import OFFLINE

    return duckdb.connect(":memory:", config={**OFFLINE, "enable_external_access": True, "threads": 2})


def _used(text: str, values: dict[str, Any] | None) -> dict[str, Any]:
    """DuckDB refuses a value that a query does not name."""
    return {name: value for name, value in (values or {}).items() if f"${name}" in text}


def _read(run: Run, table: str, key: str, shard: int) -> pa.Table:
    names = _COLUMNS[table]
    schema = _empty(table).schema
    columns = read_columns(run.layout, table, key, shard, names)
    arrays = [
        pa.array([list(cell.items()) if isinstance(cell, dict) else cell for cell in column], schema.field(name).type)
        for name, column in zip(names, columns, strict=True)
    ]
    return pa.table(arrays, schema=schema)


def _empty(table: str) -> pa.Table:
    from storage.tables import SCHEMAS

    schema = SCHEMAS[table]
    return pa.schema([schema.field(name).with_nullable(True) for name in _COLUMNS[table]]).empty_table()
