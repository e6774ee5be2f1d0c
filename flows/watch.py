"""The state of a run as a table, and the same shown anew until the run ends."""

from __future__ import annotations

import platform
import time
from typing import TYPE_CHECKING, Any

import psutil

from flows.output import console, printable, table_of
from storage import journal, ledger
from storage.ledger import Record
from tasks.plan import Run, load, plan

if TYPE_CHECKING:
    from rich.console import Group

COLUMNS = ("stage", "key", "done", "shards", "rows", "rejects", "seconds", "state")
EVERY_S = 1.0
SHARE = 0.1
"""Of a core, at most, that watching may cost: planning many shards takes its time."""


def watched(run: Run) -> None:
    """Shows the run's stages on the terminal until no attempt is running; Ctrl-C ends the showing, not the run."""
    from rich.live import Live

    screen = console()
    try:
        with Live(console=screen, auto_refresh=False, vertical_overflow="visible") as live:
            while True:
                started = time.monotonic()
                ended = not is_running(run)  # asked first: what ended meanwhile is shown as it ended
                live.update(_frame(run, ended), refresh=True)
                if ended:
                    return
                time.sleep(max(EVERY_S, (time.monotonic() - started) / SHARE))
    except KeyboardInterrupt:
        return


def is_running(run: Run) -> bool:
    """Whether the last attempt is running; False too where it says so and its process, of this machine, is gone."""
    attempts = ledger.attempts(run.layout, run.run_id)
    return bool(attempts) and attempts[-1]["state"] == "running" and not gone(attempts[-1])


def gone(attempt: Record) -> bool:
    """Whether an attempt's process ran on this machine and is no more."""
    return attempt.get("host") == platform.node() and not psutil.pid_exists(int(attempt.get("pid") or 0))


def _frame(run: Run, ended: bool) -> Group:
    from rich.console import Group
    from rich.text import Text

    latest = load(run.layout, run.name)
    table = table_of(COLUMNS, [stage_row(item, latest) for item in plan(run)], heading(run))
    attempts = ledger.attempts(run.layout, run.run_id)
    if ended and attempts and attempts[-1]["state"] == "running":
        said = f"its process is gone: `{run.typed('reap')}` marks it as crashed"
    else:
        said = "" if ended else _last(run)
    return Group(table, Text(said))


def _last(run: Run) -> str:
    """What the log said last."""
    line = journal.last(run.layout, run.run_id)
    if line is None:
        return ""
    place = f"{line['stage']} shard {line['shard']}: " if line.get("stage") else ""
    return printable(f"{str(line.get('at'))[11:19]} {place}{line.get('message')}")


def stage_row(item: Any, latest: Run) -> list[Any]:
    reasons = item.reasons()
    first = next((entry.detail for entry in item.pending if entry.detail), "")
    state = ", ".join(f"{count} {reason}" for reason, count in reasons.items()) + (f": {first}" if first else "")
    if item.total is None:
        state = "waits for ingest"
    elif latest.keys[item.stage.name] != item.key:
        state = f"{state or 'done'}; superseded by {latest.run_id}"
    done = None if item.total is None else item.total - len(item.pending)
    return [
        item.stage.name,
        item.key,
        done,
        item.total,
        item.rows,
        item.rejects,
        round(item.seconds, 1),
        state or "done",
    ]


def heading(run: Run) -> str:
    attempts = ledger.attempts(run.layout, run.run_id)
    if not attempts:
        return f"{run.run_id}: never run"
    last = attempts[-1]
    text = f"{run.run_id}: attempt {last['attempt']} ({last['reason']}, {last['engine']}) {last['state']}"
    reads = len(ledger.test_reads(run.layout, run.run_id, run.keys["finetune"]))
    text += f"; test split read {'once' if reads == 1 else f'{reads} times'}" if reads else ""
    return f"{text}: {last['error'].splitlines()[0]}" if last["error"] else text
