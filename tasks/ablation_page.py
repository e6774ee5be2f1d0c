"""A grid as one HTML file: its cells with their scores beside the paper's, what they share, how often test was read.

As a run's report the page holds no script and loads nothing; every text in it is escaped.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.atomic import replacing
from storage.layout import Layout
from storage.ledger import Record
from tasks import paper_results
from tasks.ablation import readings_of_test
from tasks.ablation_results import FLOOR, best
from tasks.charts import whiskers
from tasks.grid import short_names
from tasks.page import p_value

SPLITS = ("test", "dev")


@dataclass(frozen=True, slots=True)
class Block:
    """The cells of one base, corpus and split, best first; ``lines`` and ``dialogues`` are what was scored."""

    base: str
    corpus: str
    split: str
    lines: int
    dialogues: int
    cells: list[dict[str, Record]]
    chart: str


def write(layout: Layout, record: Record) -> Path:
    """Writes the page of a grid beside its record."""
    target = layout.ablation(record["ablation"]) / "index.html"
    page = render(record, readings_of_test(layout, record)).encode("utf-8", "replace")
    with replacing(target) as temporary:
        temporary.write_bytes(page)
    return target


def render(record: Mapping[str, Any], readings: Sequence[Record] = ()) -> str:
    """The page of a grid's record; ``readings`` are those of the test split."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=_visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(percent=_percent, signed=_signed, p=p_value)
    blocks = _blocks(record["rows"])
    return environment.get_template("ablation.html.jinja").render(
        record=record,
        lead=_lead(record),
        notes=_notes(record, readings),
        blocks=blocks,
        readings=readings,
        settings=_settings(record["cells"]),
        paper=_paper(record),
        plan=_plan(record.get("plan", [])),
        failed=[run for run in record["runs"] if run["state"] == "failed"],
    )


def _blocks(rows: Sequence[Record]) -> list[Block]:
    found: dict[tuple[str, str, str], dict[str, dict[str, Record]]] = {}
    for row in rows:
        cells = found.setdefault((row["base"], row["corpus"], row["split"]), {})
        cells.setdefault(row["cell"], {})[row["metric"]] = row
    order = sorted(found, key=lambda home: (home[0], home[1], SPLITS.index(home[2])))
    blocks = []
    for base, corpus, split in order:
        ranked = sorted(found[base, corpus, split].values(), key=lambda of: -of["weighted_f1"]["value"])
        first = ranked[0]["weighted_f1"]
        blocks.append(
            Block(base, corpus, split, first["utterances"], first["dialogues"], ranked, _chart(ranked, corpus))
        )
    return blocks


def _chart(cells: Sequence[Mapping[str, Record]], corpus: str) -> str:
    rows = [of["weighted_f1"] for of in cells]
    marks = [row["paper"] for row in rows]
    alt = f"Weighted F1 of each cell on {corpus} {rows[0]['split']}, with its 95 % interval"
    bounds = [None if row["low"] is None else (row["low"], row["high"]) for row in rows]
    alt += ", a cross where the paper prints a number" if any(mark is not None for mark in marks) else ""
    return whiskers([row["cell"] for row in rows], [row["value"] for row in rows], bounds, marks, alt)


def _lead(record: Mapping[str, Any]) -> list[str]:
    """The best cell of each base on dev, and whether it differs from the one it is compared with."""
    found = []
    for base in dict.fromkeys(cell["base"] for cell in record["cells"]):
        name = best(record["rows"], base)
        own = [row for row in record["rows"] if (row["base"], row["cell"]) == (base, name)]
        for row in (row for row in own if (row["split"], row["metric"]) == ("dev", "weighted_f1")):
            many = len({one["cell"] for one in record["rows"] if _counts(one, base)})
            text = (
                f"On dev of {row['corpus']}, {name} is the best of {many} cells: weighted F1 {_percent(row['value'])}"
            )
            found.append(f"{text}.{_compared(row, record['against'])}")
    return found or ["No cell has been scored yet."]


def _counts(row: Record, base: str) -> bool:
    return bool((row["base"], row["split"]) == (base, "dev") and not row["cell"].startswith(FLOOR))


def _compared(row: Record, against: str) -> str:
    if row["difference"] is None:
        return " It is the cell that the others are compared with." if row["against"] else ""
    low, high = row["difference_low"], row["difference_high"]
    sure = low is not None and (low > 0 or high < 0) and (row["swap_p"] or 0.0) < 0.05  # right for few dialogues too
    text = f" That is {_signed(row['difference'])} from {against}"
    text += f" [{_signed(low)}, {_signed(high)}]" if low is not None else ""
    told = "; the interval leaves out 0" if sure else "; they cannot be told apart by these lines"
    return f"{text}{told}, and the best of many is flattered by chance."


def _notes(record: Mapping[str, Any], readings: Sequence[Record]) -> list[str]:
    runs = record["runs"]
    tested = {(run["base"], run["cell"]) for run in runs if run["test"]}
    notes = []
    no_dev = record["rows"] and not any(row["split"] == "dev" for row in record["rows"])
    if not no_dev and not all(run["test"] for run in runs):
        notes.append("Cells are compared and chosen on dev; the runs of the grid do not open the test split.")
    if tested:
        adapters = len({read["adapter_key"] or read["run_id"] for read in readings})
        more = f", {len(readings)} readings in all" if len(readings) != adapters else ", each once"
        notes.append(f"Test was read for {len(tested)} of {len(record['cells'])} cells, by {adapters} models{more}.")
    else:
        notes.append("Test was not read.")
    if lost := [run for run in runs if run["state"] != "done"]:
        notes.append(f"{len(lost)} of {len(runs)} runs are not done; their cells are missing, or of fewer seeds.")
    if few := {row["dialogues"] for row in record["rows"] if row["dialogues"] < 20}:
        notes.append(f"Few dialogues ({min(few)}): the intervals are too narrow; swap_p is right for few too.")
    notes += [f"{name} cannot be read: {error}" for name, error in record.get("unread", {}).items()]
    notes += [f"{one['cell']} is left out: it is the same run as {one['as']}." for one in record.get("same", ())]
    return notes


def _settings(cells: Sequence[Record]) -> dict[str, str]:
    """The settings that cells vary, by dotted name, each with what it is called in short."""
    return short_names(list(dict.fromkeys(name for cell in cells for name in cell["settings"])))


def _paper(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """Our cells beside the paper's rows, and what does not add up there."""
    table = record.get("paper")
    if not table:
        return None
    rows = [row for row in record["rows"] if row["metric"] == "weighted_f1" and row["paper_row"]]
    cells: dict[tuple[str, str, str], dict[str, Record]] = {}
    for row in rows:
        cells.setdefault((row["base"], row["corpus"], row["cell"]), {})[row["split"]] = row
    beside = [{"corpus": key[1], "cell": key[2], "of": of, "any": next(iter(of.values()))} for key, of in cells.items()]
    shows, *notes = paper_results.about(table)
    return {"table": table, "source": paper_results.source(), "shows": shows, "notes": notes, "cells": beside}


def _plan(plan: Sequence[Record]) -> dict[str, Any]:
    needed, distinct = sum(one["needed"] for one in plan), sum(one["distinct"] for one in plan)
    return {"stages": plan, "needed": needed, "distinct": distinct}


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f}"


def _signed(share: float | None) -> str:
    return "" if share is None else f"{100 * share:+.1f}"


def _visible(value: Any) -> Any:
    """Text without characters that show nothing or turn the text around; Markup and numbers as they are."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if type(value) is not str:
        return value
    return "".join(char for char in value if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs"))
