"""The views of results.duckdb: one SQL file each, in storage/views/, its head its question, grain and columns."""

from __future__ import annotations

import glob
import hashlib
import re
from graphlib import TopologicalSorter
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from storage import copies
from storage.layout import Layout

if TYPE_CHECKING:
    import duckdb

_HISTORY = "_history"
_FIRST = ("current_runs", "current_keys")
"""Which files are current is asked of these."""

_FILES = {
    "$files": "SELECT path FROM copies WHERE output = ? ORDER BY path",
    "$current": "SELECT path FROM copies WHERE output = ? AND stage_key IN (SELECT stage_key FROM current_keys) "
    "ORDER BY path",
}


def refresh(connection: duckdb.DuckDBPyConnection, layout: Layout) -> None:
    """Makes the views that are new: all of them after a change of the program, else those whose files are others."""
    texts = in_order({name.removesuffix(".sql"): text for name, text in sql_files("views").items()})
    known = dict(connection.execute("SELECT name, value FROM about WHERE name <> 'migration'").fetchall())
    everything = hashlib.sha256("\n".join([str(layout.root), *texts.values()]).encode()).hexdigest()
    renew = known.get("views") != everything
    wanted = {"views": everything, "workspace": str(layout.root)}
    for name in _FIRST:
        connection.execute(texts[name])
    filled = {name: _fill(connection, layout, name, text) for name, text in texts.items()}
    wanted |= {f"view {name}": text for name, text in filled.items() if any(word in texts[name] for word in _FILES)}
    for name, text in filled.items():
        if renew or known.get(f"view {name}", text) != text:
            connection.execute(text)
    if wanted != known:
        connection.execute("DELETE FROM about WHERE name <> 'migration'")
        connection.executemany("INSERT INTO about VALUES (?, ?)", list(wanted.items()))


def sql_files(folder: str) -> dict[str, str]:
    """The texts of a folder's SQL files by name."""
    found = files("storage").joinpath(folder).iterdir()
    return {item.name: item.read_text() for item in found if item.name.endswith(".sql")}


def in_order(texts: dict[str, str]) -> dict[str, str]:
    """The same, each view after those that it reads."""
    reads = {name: (_read(text) & texts.keys()) - {name} for name, text in texts.items()}
    return {name: texts[name] for name in TopologicalSorter(dict(sorted(reads.items()))).static_order()}


def pattern(path: Path) -> Path:
    """A pattern that matches just this path."""
    return Path(glob.escape(str(path)))


def _read(text: str) -> set[str]:
    """The names that a view reads from."""
    return {*re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", re.sub(r"--.*", "", text))}


def _fill(connection: duckdb.DuckDBPyConnection, layout: Layout, name: str, text: str) -> str:
    """A view's text with the files that it reads in it."""
    table = name.removesuffix(_HISTORY)
    for word, query in _FILES.items():
        if word in text:
            rows = connection.execute(query, [table]).fetchall()
            # DuckDB takes the first file for what all are like: one without rows would make it join the wrong way round
            paths = sorted((Path(path) for (path,) in rows), key=lambda path: not copies.is_whole(path))
            if not any(map(copies.is_whole, paths[:1])):
                paths = [copies.empty(connection, layout, table), *paths]
            text = text.replace(word, "[" + ", ".join(copies.quoted(pattern(path)) for path in paths) + "]")
    if "$parts" in text:
        copies.empty_part(layout, "keyframes")
        parts = pattern(layout.lake) / "keyframes" / "*" / "part-*.parquet"
        text = text.replace("$parts", copies.quoted(parts))
    return text.replace("$lake", copies.quoted(layout.lake))
