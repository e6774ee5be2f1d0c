"""What asking costs: every shipped view over 10 M predictions and 1 M utterances, publishing 100 k more, and two peers.

python benchmarks/warehouse.py [--quick] [--utterances 1000000] [--runs 100] [--folder DIR] [--no-peers]

The floor aimed at: every view under 1 s on two cores, publishing under 2 s. A view is asked as a person would: whole if
it counts, and if it lists rows the first 100, of one run where its head says so. Each question opens the database
anew, as the command does. Predictions are of two systems, of a twentieth of the utterances, in each run.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asking import lake, peers
from rich.console import Console
from rich.table import Table

from storage import ledger, warehouse
from storage.catalogue import sql_files
from storage.copies import LAKE_TABLES
from storage.layout import Layout, open_workspace
from storage.queries import connect, query
from tasks.plan import Run, load
from tasks.publish import facts, publish
from tasks.stages import BY_NAME

MORE = 3
"""Runs that are published one by one, timed."""

LISTED = {*LAKE_TABLES, *(f"{table}_history" for table in LAKE_TABLES)} | {"pictures", "shards", "training"}
LISTED |= {"worst_dialogues", "frames"}
OF_A_RUN = {"lineage", "wrong_predictions", "caption_quality", "rejected", "predictions_history"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the utterances, a fifth of the runs")
    parser.add_argument("--utterances", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--folder", type=Path, help="keeps the workspace, and takes the one that is there")
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    utterances = options.utterances or (100_000 if options.quick else 1_000_000)
    runs = options.runs or (20 if options.quick else 100)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        made, making = timed(lambda: ready(folder, utterances, runs + MORE))
        figures = {"utterances": utterances, "runs": runs, "cpus": os.cpu_count(), "making_seconds": making}
        figures |= measure(made, rounds=3, rows=utterances // 10)
        if not options.no_peers:
            figures |= beside(made, folder, rounds=3)
    print(json.dumps(figures))


def ready(folder: Path, utterances: int, runs: int) -> list[Run]:
    """The runs of a workspace that is there, as they are, or of a new one."""
    if not (folder / "workspace").exists():
        return lake.runs_of(folder, utterances, runs)
    layout = open_workspace(folder / "workspace")
    return [load(layout, record["run_id"]) for record in ledger.runs(layout)]


def forget(run: Run) -> None:
    """As if its predictions had not been published."""
    for path in run.layout.folder("predictions", run.key(BY_NAME["evaluate"])).glob("all-*"):
        path.unlink()


def measure(made: list[Run], *, rounds: int, rows: int) -> dict[str, Any]:
    """Publishing and every view."""
    layout, known = made[0].layout, {}
    whole = [facts(run, known) for run in made[:-MORE]]
    _, first = timed(lambda: warehouse.publish(layout, whole, rebuild=True))
    for run in made[-MORE:]:
        forget(run)
    more = [timed(lambda run=run: publish(run))[1] for run in made[-MORE:]]
    found = {name: ask_all(layout, text, rounds) for name, text in questions(made[0], made[1]).items()}
    show("seconds a view", {name: (round(value, 3),) for name, value in sorted(found.items(), key=lambda i: -i[1])})
    slowest = max(found, key=found.__getitem__)
    return {
        "predictions": rows * (len(made) - MORE),
        "first_publication_seconds": first,
        "publishing_seconds": statistics.median(more),
        "published_predictions": rows,
        "database_mb": round(layout.database.stat().st_size / 1e6, 1),
        "slowest_view": slowest,
        "slowest_view_seconds": round(found[slowest], 3),
        "views": len(found),
        "over_a_second": sorted(name for name, value in found.items() if value >= 1),
    }


def questions(first: Run, second: Run) -> dict[str, str]:
    """What is asked of each view."""
    texts = {}
    for name in sorted(item.removesuffix(".sql") for item in sql_files("views")):
        if name == "flips":
            texts[name] = f"FROM flips WHERE first_run = '{first.run_id}' AND second_run = '{second.run_id}' LIMIT 100"
        elif name in OF_A_RUN:
            texts[name] = f"FROM {name} WHERE run_id = '{first.run_id}' LIMIT 100"
        else:
            texts[name] = f"FROM {name}" + (" LIMIT 100" if name in LISTED else "")
    return texts


def ask_all(layout: Layout, text: str, rounds: int) -> float:
    """Median seconds of asking in a connection of its own."""

    def ask() -> None:
        with connect(layout) as connection:
            query(connection, text)

    return statistics.median(timed(ask)[1] for _ in range(rounds))


def beside(made: list[Run], folder: Path, *, rounds: int) -> dict[str, Any]:
    """The same five questions put to us, to SQLite and to pandas, in turn."""
    layout, runs = made[0].layout, (made[0].run_id, made[1].run_id)
    line = lake.names("test", 1230, 1)[0]
    database, filling = timed(lambda: peers.into_sqlite(layout, folder / "peer.sqlite"))
    asked = {"ours": peers.ours(layout, runs, line), "sqlite": peers.of_sqlite(database, runs, line)}
    loading = None
    if importlib.util.find_spec("pandas"):
        frames, loading = timed(lambda: peers.into_pandas(layout))
        asked["pandas"] = peers.of_pandas(frames, runs, line)
    else:
        print("pandas is not installed: its figures are null")
    seconds: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):  # interleaved: all see the same noise
        for who, mine in asked.items():
            for name, question in mine.items():
                seconds.setdefault(name, {}).setdefault(who, []).append(timed(question)[1])
    medians = {name: {who: statistics.median(times) for who, times in row.items()} for name, row in seconds.items()}
    show("seconds a question: ours, SQLite, pandas in memory", {name: [*row.values()] for name, row in medians.items()})
    database.close()
    return {
        "sqlite_filling_seconds": filling,
        "sqlite_mb": round((folder / "peer.sqlite").stat().st_size / 1e6, 1),
        "pandas_loading_seconds": loading,
        "vs_sqlite": {name: round(row["sqlite"] / row["ours"], 2) for name, row in medians.items()},
        "vs_pandas": {
            name: round(row["pandas"] / row["ours"], 2) if "pandas" in row else None for name, row in medians.items()
        },
    }


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    started = time.perf_counter()
    result = work()
    return result, round(time.perf_counter() - started, 4)


def show(title: str, rows: Mapping[str, Any]) -> None:
    table = Table(title=title)
    for name, values in rows.items():
        table.add_row(name, *(f"{value:.3f}" for value in values))
    Console().print(table)


if __name__ == "__main__":
    main()
