"""The numbers that the paper prints, to be set beside ours: paper_results.toml, each with its table and row."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

METRICS = ("accuracy", "weighted_f1")


@lru_cache(maxsize=1)
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files("tasks").joinpath("paper_results.toml").read_text("utf-8"))


def tables() -> list[str]:
    """The tables and figures of which there are numbers, as the paper calls them."""
    return [table["name"] for table in _data()["table"]]


def rows(table: str) -> list[str] | None:
    """The names of a table's rows; None where there is no such table."""
    found = _table(table)
    return None if found is None else [row["name"] for row in found["row"]]


def value(table: str, row: str, corpus: str, metric: str) -> float | None:
    """A number of the paper as a share (0..1): its test score, the mean of five seeds. None where it prints none."""
    found = _table(table) or {"row": []}
    cells: Mapping[str, Any] = next((one for one in found["row"] if one["name"] == row), {})
    if metric not in METRICS or corpus not in cells:
        return None
    percent = cells[corpus][METRICS.index(metric)]
    return None if percent < 0 else percent / 100


def about(table: str) -> list[str]:
    """What the table shows and what does not add up in it, one sentence or two each."""
    found = _table(table) or {}
    return [found.get("shows", ""), *found.get("notes", ())]


def source() -> str:
    """The paper, as one cites it."""
    return str(_data()["source"])


def _table(name: str) -> Mapping[str, Any] | None:
    return next((table for table in _data()["table"] if table["name"] == name), None)
