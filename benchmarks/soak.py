"""A run that is killed again and again, beside one that is let be: are their tables the same?

python benchmarks/soak.py [--quick] [--kills 200] [--prefect 20] [--seed 1] [--keep DIR] [--cache workspace/cache]

The pipeline on a cut of the demo (crashes/setting.py) is started, killed by SIGKILL, started again, until it ends; then
its tables are compared with those of a run that nobody killed (crashes/compare.py). The floor: no row lost, doubled or
changed, no finished shard done again, no process left over. A kill falls in every stage and in every publishing of
results.duckdb, every third of which has older migrations to catch up with. Half of the kills come from outside at a
random instant of that place, wherever the process then is; the others before one of its file operations
(crashes/victim.py), the kind that has been hit least first, so that every step of a commit has its turn. One in four
kills the process alone and leaves its decoders to themselves, the others all that it started. Runs are copies of a
process that has the libraries loaded (crashes/forked.py); those through a Prefect server are started like any program.
Seeds are printed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path

from crashes.compare import compare, total
from crashes.cycle import Kill, Soak
from crashes.forked import preload
from crashes.setting import environment, make_workspace, server, write_config
from rich.console import Console
from rich.table import Table


def main() -> None:
    options = arguments()
    kills = options.kills or (16 if options.quick else 200)
    prefect = (0 if options.quick else 20) if options.prefect is None else options.prefect
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = Path(options.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(folder, write_config(folder, options.cache.resolve()), options.cache.resolve())
        preload(environment(folder / "home"))
        soak.preloaded = True
        soak.reference()
        print(f"reference: {soak.seconds:.1f} s, {sum(map(len, soak.steps.values()))} file operations", flush=True)
        compared = killed(soak, kills - prefect, options.seed, per_stage=1 if options.quick else 3)
        if prefect:
            with server(folder / "prefect-home") as api:
                compared += killed(soak, prefect, options.seed + 1000, per_stage=1, api=api)
    report(soak, compared)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="16 kills, none through Prefect")
    parser.add_argument("--kills", type=int, help="at least so many, those through Prefect among them")
    parser.add_argument("--prefect", type=int, help="kills of runs through a Prefect server")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder for the workspaces, kept")
    parser.add_argument("--cache", type=Path, default=Path("workspace/cache"), help="weights are looked for here")
    return parser.parse_args()


def killed(
    soak: Soak, kills: int, seed: int, *, per_stage: int, api: str | None = None
) -> list[dict[str, dict[str, int]]]:
    """Cycles until there are so many kills; what each comparison found."""
    found: list[dict[str, dict[str, int]]] = []
    before = len(soak.kills)
    while len(soak.kills) - before < kills:
        engine = "prefect" if api else "direct"
        workspace = soak.folder / f"{engine}-{seed}"
        drawn = bool(api) or len(found) > 0 or per_stage == 1  # the first cycle is killed while it draws the clips, too
        make_workspace(workspace, soak.cache, drawn=drawn)
        started, done = time.monotonic(), len(soak.kills)
        most = None if per_stage > 1 else kills - (done - before)
        soak.cycle(workspace, random.Random(seed), per_stage=per_stage, api=api, most=most)
        tables = compare(soak.folder / "reference", workspace)
        found.append(tables)
        wrong = total([tables])
        counts = ", ".join(f"{name} {count}" for name, count in wrong.items())
        lasted = time.monotonic() - started
        print(f"seed {seed} ({engine}): {len(soak.kills) - done} kills in {lasted:.0f} s; {counts}", flush=True)
        if any(wrong[name] for name in ("lost", "doubled", "changed")):
            print(
                json.dumps({name: counts for name, counts in tables.items() if sum(counts.values()) > counts["rows"]})
            )
        seed += 1
    return found


def report(soak: Soak, compared: list[dict[str, dict[str, int]]]) -> None:
    table = Table(
        "killed in", "at an instant", "before a file operation", "through Prefect", title="where the kills fell"
    )
    places = [*soak.steps, "migration"]
    for place in dict.fromkeys([*places, *(kill.place for kill in soak.kills)]):
        own = [kill for kill in soak.kills if kill.place == place]
        counts = (sum(not kill.step for kill in own), sum(bool(kill.step) for kill in own))
        table.add_row(place, *map(str, counts), str(sum(kill.engine == "prefect" for kill in own)))
    Console(width=120).print(table)
    Console(width=120).print(steps_table(soak.kills))
    results = Table("table", "rows", "lost", "doubled", "changed", title="compared with the run that nobody killed")
    for name in compared[0]:
        counts = total([{name: tables[name]} for tables in compared])
        results.add_row(name, *map(str, counts.values()))
    Console(width=120).print(results)
    wrong = total(compared)
    figures = {
        "kills": len(soak.kills),
        "kills_prefect": sum(kill.engine == "prefect" for kill in soak.kills),
        "cycles": len(compared),
        "rows_compared": wrong["rows"],
        "rows_lost": wrong["lost"],
        "rows_doubled": wrong["doubled"],
        "rows_changed": wrong["changed"],
        "shards_repeated": soak.repeated,
        "processes_left": soak.left,
        "attempts_wrong": soak.attempts_wrong,
    }
    print(json.dumps(figures))


def steps_table(kills: list[Kill]) -> Table:
    table = Table("before", "kills", title="operations that were never done")
    for step, count in sorted(Counter(kill.step for kill in kills if kill.step).items()):
        table.add_row(step, str(count))
    return table


if __name__ == "__main__":
    os.nice(5)
    main()
