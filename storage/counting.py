"""What is counted of a run's predictions once, when they are published: storage/summaries/*.sql.

Questions such as "which labels are taken for which" would otherwise read every prediction of every run again. Each
file is one query over ``run_predictions``, the rows of one run, and what ``run_utterances`` and ``run_captions`` know
of their lines; what it finds goes into the table of the file's name, which a view shows.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from storage import copies
from storage.layout import Layout

if TYPE_CHECKING:
    import duckdb

_SOURCES = """
    SELECT s.run_id, {stages}, list(c.path ORDER BY c.output)
    FROM stages s
    JOIN copies c USING (stage_key, output)
    WHERE s.stage IN ('ingest', 'captions', 'evaluate')
    GROUP BY s.run_id
    ORDER BY s.run_id
"""
_STAGES = {"run_predictions": "evaluate", "run_utterances": "ingest", "run_captions": "captions"}
_AS = {
    "run_predictions": "TABLE run_predictions AS SELECT * EXCLUDE (raw), split_part(utterance_id, '/', 1) AS corpus, "
    "split_part(utterance_id, '/', 2) AS split, regexp_replace(utterance_id, '/[^/]*$', '') AS dialogue",
    "run_utterances": "VIEW run_utterances AS SELECT *",
    "run_captions": "VIEW run_captions AS SELECT *",
}


def refresh(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """Counts anew for every run whose files are not those that were counted last."""
    paths = ", ".join(f"max(c.path) FILTER (s.stage = '{stage}')" for stage in _STAGES.values())
    counted = dict(connection.execute("SELECT run_id, source FROM summarised").fetchall())
    for run_id, *found in connection.execute(_SOURCES.format(stages=paths)).fetchall():
        source = "\n".join(found.pop())
        if counted.get(run_id) != source and all(map(copies.is_whole, map(Path, source.split("\n")))):
            _count(connection, layout, run_id, dict(zip(_STAGES, found, strict=True)))
            connection.execute("INSERT OR REPLACE INTO summarised VALUES (?, ?)", [run_id, source])


def texts() -> dict[str, str]:
    """The queries, by the table that holds their results."""
    found = files("storage").joinpath("summaries").iterdir()
    return {item.name.removesuffix(".sql"): item.read_text() for item in found if item.name.endswith(".sql")}


def _count(connection: duckdb.DuckDBPyConnection, layout: Layout, run_id: str, paths: dict[str, str | None]) -> None:
    within = ""
    for name, path in paths.items():
        table = name.removeprefix("run_")
        source = copies.quoted(Path(path) if path else copies.empty(connection, layout, table))
        source = f"read_parquet({source}, hive_partitioning = false)"
        connection.execute(f"CREATE OR REPLACE TEMP {_AS[name]} FROM {source}{within}")
        if name == "run_predictions":  # a twentieth of the lines: of the sorted copies the other row groups stay unread
            ends = connection.execute("SELECT min(utterance_id), max(utterance_id) FROM run_predictions").fetchall()[0]
            within = " WHERE utterance_id BETWEEN {} AND {}".format(*(copies.quoted(end or "") for end in ends))
    for table, text in texts().items():
        connection.execute(f"DELETE FROM {table} WHERE run_id = ?", [run_id])
        connection.execute(f"INSERT INTO {table} BY NAME SELECT ? AS run_id, * FROM ({text})", [run_id])
    connection.execute("DROP TABLE run_predictions")
