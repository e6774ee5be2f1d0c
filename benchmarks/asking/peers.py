"""The same questions put to SQLite and to pandas, which hold the predictions and utterances in their own way."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from storage.layout import Layout
from storage.queries import connect, query

NAMES = ["utterance_id", "system", "gold", "predicted"]
Question = Callable[[], Any]


def ours(layout: Layout, runs: tuple[str, str], line: str) -> dict[str, Question]:
    """The questions as our views answer them, each in a connection of its own as the command does."""
    first, second = runs
    texts = {
        "confusions": "SELECT run_id, system, gold, predicted, utterances FROM confusions",
        "worst_dialogues": f"FROM worst_dialogues WHERE run_id = '{first}' LIMIT 20",
        "speaker_scores": f"FROM speaker_scores WHERE run_id = '{first}'",
        "flips": f"SELECT flip, count(*) FROM flips WHERE first_run = '{first}' AND second_run = '{second}' GROUP BY 1",
        "one_line": f"SELECT run_id, system, predicted, speaker FROM lineage WHERE utterance_id = '{line}'",
    }

    def asked(text: str) -> Question:
        def ask() -> Any:
            with connect(layout) as connection:
                return query(connection, text)

        return ask

    return {name: asked(text) for name, text in texts.items()}


def tables(layout: Layout) -> Iterator[tuple[str, pa.Table]]:
    """(run id, its predictions), from the copies."""
    with connect(layout) as connection:
        text = "SELECT run_id, path FROM stages JOIN copies USING (stage_key) WHERE stage = 'evaluate' ORDER BY 1"
        paths = query(connection, text)[1]
    for run_id, path in paths:
        yield run_id, pq.read_table(path, columns=NAMES, read_dictionary=NAMES)


def utterances(layout: Layout) -> pa.Table:
    with connect(layout) as connection:
        ((path,),) = query(connection, "SELECT path FROM copies WHERE output = 'utterances'")[1]
    return pq.read_table(path, columns=["utterance_id", "speaker", "dialogue_id"])


# ---- SQLite


def into_sqlite(layout: Layout, path: Path) -> sqlite3.Connection:
    """Predictions and utterances in one file, indexed by run, by utterance and by both."""
    database = sqlite3.connect(path)
    database.executescript(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000;"
        "CREATE TABLE utterances (utterance_id TEXT PRIMARY KEY, speaker TEXT, dialogue_id TEXT) WITHOUT ROWID;"
        "CREATE TABLE predictions (run_id TEXT, utterance_id TEXT, system TEXT, gold TEXT, predicted TEXT);"
    )
    database.executemany("INSERT INTO utterances VALUES (?, ?, ?)", columns(utterances(layout)))
    for run_id, data in tables(layout):
        rows = ((run_id, *row) for row in columns(data))
        database.executemany("INSERT INTO predictions VALUES (?, ?, ?, ?, ?)", rows)
    database.executescript(
        "CREATE INDEX by_run ON predictions (run_id, system, utterance_id, gold, predicted);"
        "CREATE INDEX by_line ON predictions (utterance_id); ANALYZE;"
    )
    database.commit()
    return database


def columns(data: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(column.to_pylist() for column in data.columns), strict=True)


def of_sqlite(database: sqlite3.Connection, runs: tuple[str, str], line: str) -> dict[str, Question]:
    first, second = runs
    dialogue = "substr(utterance_id, 1, length(utterance_id) - 2)"  # turns here have one digit
    texts = {
        "confusions": "SELECT run_id, system, gold, predicted, count(*) FROM predictions "
        "WHERE gold <> predicted GROUP BY 1, 2, 3, 4",
        "worst_dialogues": f"SELECT system, {dialogue} AS dialogue, avg(gold = predicted) AS right FROM predictions "
        f"WHERE run_id = '{first}' GROUP BY 1, 2 ORDER BY 1, 3 LIMIT 20",
        "speaker_scores": "SELECT system, speaker, count(DISTINCT dialogue_id), count(*), avg(gold = predicted) "
        f"FROM predictions JOIN utterances USING (utterance_id) WHERE run_id = '{first}' GROUP BY 1, 2",
        "flips": "SELECT CASE WHEN b.predicted = b.gold THEN 'gained' WHEN a.predicted = a.gold THEN 'lost' "
        "ELSE 'moved' END, count(*) FROM predictions a JOIN predictions b ON b.run_id = "
        f"'{second}' AND b.system = a.system AND b.utterance_id = a.utterance_id "
        f"WHERE a.run_id = '{first}' AND a.predicted <> b.predicted GROUP BY 1",
        "one_line": "SELECT run_id, system, predicted, speaker FROM predictions "
        f"JOIN utterances USING (utterance_id) WHERE utterance_id = '{line}'",
    }
    return {name: lambda text=text: database.execute(text).fetchall() for name, text in texts.items()}


# ---- pandas


def into_pandas(layout: Layout) -> tuple[Any, Any]:
    """Data frames of predictions (categories) and utterances, in memory."""
    parts = []
    for run_id, data in tables(layout):
        named = pa.DictionaryArray.from_arrays(pa.array([0] * data.num_rows, pa.int32()), pa.array([run_id]))
        parts.append(data.append_column("run_id", named))
    frame = pa.concat_tables(parts).unify_dictionaries().to_pandas()
    return frame, utterances(layout).to_pandas()


def of_pandas(frames: tuple[Any, Any], runs: tuple[str, str], line: str) -> dict[str, Question]:
    said, lines = frames
    first, second = runs
    by = {"observed": True, "sort": False}

    def confusions() -> Any:
        wrong = said[said["gold"].astype("object") != said["predicted"].astype("object")]
        return wrong.groupby(["run_id", "system", "gold", "predicted"], **by).size()

    def of(run_id: str) -> Any:
        return said[said["run_id"] == run_id]

    def worst_dialogues() -> Any:
        mine = of(first)
        right = mine["gold"].astype(str) == mine["predicted"].astype(str)
        dialogue = mine["utterance_id"].astype(str).str.rsplit("/", n=1).str[0]
        return right.groupby([mine["system"], dialogue], **by).mean().sort_values().head(20)

    def speaker_scores() -> Any:
        mine = of(first).merge(lines, on="utterance_id")
        mine["right"] = mine["gold"].astype(str) == mine["predicted"].astype(str)
        return mine.groupby(["system", "speaker"], **by).agg({"right": "mean", "dialogue_id": "nunique"})

    def flips() -> Any:
        both = of(first).merge(of(second), on=["utterance_id", "system"])
        a, b, gold = (both[name].astype(str) for name in ("predicted_x", "predicted_y", "gold_x"))
        moved = a != b
        return [(moved & (b == gold)).sum(), (moved & (a == gold)).sum()]

    def one_line() -> Any:
        return said[said["utterance_id"] == line].merge(lines[lines["utterance_id"] == line], on="utterance_id")

    return {
        "confusions": confusions,
        "worst_dialogues": worst_dialogues,
        "speaker_scores": speaker_scores,
        "flips": flips,
        "one_line": one_line,
    }
