"""What dies under a worker, and what it takes to go on: flow, worker, server, all three; cancelling; two at once.

python benchmarks/outages.py [--only NAME] [--keep DIR] [--cache workspace/cache]

A real server, process worker and deployment (prefect.yaml). Each outage has a workspace of its own: the pipeline on the
soak test's cut of the demo is started as the UI starts it, and while its second shard of captions is made something is
killed by SIGKILL, or the run is cancelled, then or while it trains. Then what a person would do: start again what is
gone, `dialoguellm reap`, the UI's Retry. The floor: the run ends, with the tables of one that nobody disturbed, and no
process is left.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from crashes.compare import compare, total
from crashes.cycle import Soak
from crashes.setting import write_config
from crashes.site import Site
from rich.console import Console
from rich.table import Table

Row = list[str]


def flow_killed(site: Site, run: str, row: Row) -> None:
    site.kill_flow(run)
    row.append(site.wait(run, "CRASHED", "FAILED", seconds=120))
    site.retry(run)
    row.append("Retry")


def worker_killed(site: Site, run: str, row: Row) -> None:
    site.kill_worker()
    row.append(site.wait(run, "CRASHED", "COMPLETED", seconds=300))
    site.start_worker()
    site.retry(run)
    row.append("a new worker, Retry")


def server_killed(site: Site, run: str, row: Row) -> None:
    site.kill_server()
    time.sleep(20)
    site.start_server()
    state = site.wait(run, "COMPLETED", "FAILED", "CRASHED", seconds=400)
    row.append(f"20 s without a server, then {state}")
    if state == "COMPLETED":
        row.append("the server started again")
        return
    if state not in ("FAILED", "CRASHED"):
        site.end_flow(run)
        site.reap(run)
    site.retry(run)
    row.append("the server started again, reap, Retry")


def all_killed(site: Site, run: str, row: Row) -> None:
    site.kill_server()
    site.kill_worker()
    site.kill_flow(run)
    site.start_server()
    site.start_worker()
    time.sleep(15)
    row.append(site.state(run))
    said = site.reap(run)
    row[-1] += f", after reap {site.state(run)}"
    site.retry(run)
    row.append("server and worker started again, reap, Retry")
    if "1 flow run marked" not in said:
        row[-1] += f" ({said})"


def cancelled(site: Site, run: str, row: Row) -> None:
    started = time.monotonic()
    site.cancel(run)
    state = site.wait(run, "CANCELLED", seconds=180)
    while site.flow_is_alive(run) and time.monotonic() < started + 180:
        time.sleep(0.2)
    row.append(
        f"{state}; its process gone after {time.monotonic() - started:.0f} s, attempt {site.attempt(run)['state']}"
    )
    site.retry(run)
    row.append("Retry")


def cancelled_in_training(site: Site, run: str, row: Row) -> None:
    """A model's stages have a process of their own, which ends with the run; its shard has not failed by that."""
    site.wait_for_training(run)
    cancelled(site, run, row)


def two_at_once(site: Site, run: str, row: Row) -> None:
    second = site.begin(site.workspaces[run], queue=False)
    state = site.wait(second, "FAILED", "CRASHED", "COMPLETED", seconds=180)
    row.append(f"the second {state}: {site.message(second)[:90]}")
    site.wait(run, "COMPLETED", seconds=400)
    row.append("nothing")


OUTAGES: dict[str, Callable[[Site, str, Row], None]] = {
    "flow": flow_killed,
    "worker": worker_killed,
    "server": server_killed,
    "all three": all_killed,
    "cancelled": cancelled,
    "cancelled in training": cancelled_in_training,
    "two at once": two_at_once,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", choices=OUTAGES, action="append")
    parser.add_argument("--quick", action="store_true", help="the flow and all three")
    parser.add_argument("--keep", type=Path, help="a folder for the workspaces, kept")
    parser.add_argument("--cache", type=Path, default=Path("workspace/cache"), help="weights are looked for here")
    options = parser.parse_args()
    chosen = options.only or (["flow", "all three"] if options.quick else list(OUTAGES))
    with tempfile.TemporaryDirectory(prefix="outages-") as temporary:
        folder = Path(options.keep or temporary).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        soak = Soak(folder, write_config(folder, options.cache.resolve()), options.cache.resolve())
        if not (folder / "reference" / "reports").exists():
            soak.reference()
        with Site.standing(soak) as site:
            rows, compared = [], []
            for name in chosen:
                row = [name]
                run = site.begin(site.new_workspace(name.replace(" ", "-")))
                site.wait_for_second_caption(run)
                OUTAGES[name](site, run, row)
                row.append(site.wait(run, "COMPLETED", seconds=500))
                tables = compare(folder / "reference", site.workspaces[run])
                compared.append(tables)
                wrong = total([tables])
                row.append(", ".join(str(wrong[count]) for count in ("lost", "doubled", "changed")))
                row.append(str(site.left()))
                rows.append(row)
                print(row, flush=True)
    table = Table("killed", "the server says", "done about it", "ended", "lost, doubled, changed", "processes left")
    for row in rows:
        table.add_row(*row)
    Console(width=160).print(table)
    wrong = total(compared)
    figures = {f"rows_{name}": wrong[name] for name in ("lost", "doubled", "changed")}
    done = sum(row[-3] == "COMPLETED" for row in rows)
    print(json.dumps({"outages": len(rows), "completed": done, **figures}))


if __name__ == "__main__":
    os.nice(5)
    main()
