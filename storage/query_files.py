"""Which sorted copies a query reads, and whether they are what was written: DuckDB compares no checksums of Parquet.

A process reads each copy whole, once, before the first query that needs it, and knows it by inode, size and time then.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from model.errors import WorkspaceError
from storage import copies

if TYPE_CHECKING:
    import duckdb

_COPY = re.compile(r"([^/']+/[^/']+/all-[0-9a-f]+\.parquet)'")
_BY_ANY_NAME = re.compile(r"query\s*\(|query_table|parquet|all-", re.IGNORECASE)
"""Ways to name a table or a file that the words of a query do not show."""


class DamagedCopies(WorkspaceError):
    """Copies for queries that are not what was written, or of which no digest is known: ``paths``.

    Their shards may be whole.
    """

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        super().__init__(
            f"{paths[0]}{more} is not what was written: `dialoguellm fsck --repair` makes such files again"
        )


def check(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Raises DamagedCopies where the query would read one."""
    known = {path: digest for _, path, digest in copies.noted(connection)}
    paths = [path for path in _read(connection, text, list(known)) if copies.is_whole(path)]  # else DuckDB names it
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        right = list(pool.map(lambda path: copies.is_right(path, known[path]), paths))
    if wrong := [path for path, is_right in zip(paths, right, strict=True) if not is_right]:
        raise DamagedCopies(wrong)


def _read(connection: duckdb.DuckDBPyConnection, text: str, every: list[Path]) -> list[Path]:
    """The copies among ``every`` that a query may read: those of each view of which it has the name, as any word."""
    if _BY_ANY_NAME.search(text):
        return every
    found = connection.execute("SELECT lower(view_name), sql FROM duckdb_views() WHERE NOT internal").fetchall()
    views, waiting, files = dict(found), [text], set()
    while waiting:
        for word in {*re.findall(r"\w+", waiting.pop().lower())} & views.keys():
            sql = views.pop(word)
            files |= {*_COPY.findall(sql)}
            waiting.append(_COPY.sub("", sql))
    return [path for path in every if "/".join(path.parts[-3:]) in files]
