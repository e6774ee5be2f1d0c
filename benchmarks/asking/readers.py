"""Readers of a workspace that a publisher keeps changing: each asks until its time is up, and checks what it is told.

Every publication replaces a run's predictions, scores and counts by those of its next generation. Whatever a reader
sees must be of one generation, whole, and no older than what it saw before.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from storage.layout import open_workspace
from storage.queries import connect, query

MARK = "generation"
CHECK = f"""
    SELECT r.run_id, p.rows, p.marks, p.mark, m.value, c.counted
    FROM runs r
    LEFT JOIN (SELECT run_id, count(*) AS rows, count(DISTINCT raw) AS marks, min(raw) AS mark
               FROM predictions_history GROUP BY ALL) p USING (run_id)
    LEFT JOIN (SELECT run_id, value FROM metrics WHERE metric = '{MARK}') m USING (run_id)
    LEFT JOIN (SELECT run_id, sum(utterances) AS counted FROM counted_confusions GROUP BY ALL) c USING (run_id)
    ORDER BY r.run_id
"""


@dataclass
class Seen:
    """What readers met: seconds of each answer, and every fault as a sentence."""

    seconds: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    generations: int = 0

    def going(self, until: float) -> bool:
        """Whether to ask again: time is left, or a slow start left none for a first answer."""
        return time.time() < until or not (self.seconds or self.faults)

    def add(self, other: Seen) -> None:
        self.seconds += other.seconds
        self.faults += other.faults
        self.generations = max(self.generations, other.generations)


def of_threads(reader: Callable[..., Seen], threads: int, until: float, *more: Any) -> Seen:
    """The same reader in several threads of this process, until a time (seconds since 1970)."""
    found = Seen()
    with ThreadPoolExecutor(threads) as pool:
        for seen in pool.map(lambda _: reader(until, *more), range(threads)):
            found.add(seen)
    return found


def asking(until: float, folder: Path, rows: int, pause: float) -> Seen:
    """Opens the database anew for each question, as the command does."""
    seen, newest = Seen(), -1
    layout = open_workspace(folder)
    while seen.going(until):
        started = time.perf_counter()
        try:
            with connect(layout) as connection:
                answer = query(connection, CHECK)[1]
        except Exception as error:  # any refusal is what is looked for
            seen.faults.append(f"asking: {type(error).__name__}: {error}")
            continue
        seen.seconds.append(time.perf_counter() - started)
        newest = _check(answer, rows, newest, seen)
        time.sleep(pause)
    return seen


def holding(until: float, folder: Path, rows: int, pause: float) -> Seen:
    """Keeps one connection while others are published: its answers must not change."""
    seen = Seen()
    with connect(open_workspace(folder)) as connection:
        first = query(connection, CHECK)[1]
        _check(first, rows, -1, seen)
        while seen.going(until):
            started = time.perf_counter()
            try:
                if query(connection, CHECK)[1] != first:
                    seen.faults.append("holding: the snapshot changed")
            except Exception as error:
                seen.faults.append(f"holding: {type(error).__name__}: {error}")
            seen.seconds.append(time.perf_counter() - started)
            time.sleep(pause)
    return seen


def commanding(until: float, folder: Path, rows: int, pause: float) -> Seen:
    """The command itself, a process a question."""
    seen, newest = Seen(), -1
    line = [sys.executable, "-m", "flows.cli", "sql", CHECK, "--json", "-w", str(folder)]
    while seen.going(until):
        started = time.perf_counter()
        found = subprocess.run(line, capture_output=True, text=True, check=False)
        seen.seconds.append(time.perf_counter() - started)
        if found.returncode:
            seen.faults.append(f"command: {found.stderr.strip()[-300:]}")
        else:
            newest = _check([tuple(row.values()) for row in json.loads(found.stdout)], rows, newest, seen)
        time.sleep(pause)
    return seen


def browsing(until: float, address: str, cookies: dict[str, str], dialogues: int, pause: float) -> Seen:
    """Pages of the gallery, one after another."""
    seen, place = Seen(), threading.get_ident() % dialogues
    with httpx.Client(base_url=address, cookies=cookies, timeout=60, trust_env=False) as client:
        while seen.going(until):
            place = (place + 7) % dialogues
            name = f"demo/test/{place}"
            for path, said in (
                ("/?page=1", "demo/"),
                (f"/dialogue?id={name}", name),
                (f"/utterance?id={name}/3", name),
            ):
                started = time.perf_counter()
                try:
                    answer = client.get(path)
                    if answer.status_code != 200 or said not in answer.text:
                        seen.faults.append(f"browsing: {path}: {answer.status_code}")
                except httpx.HTTPError as error:
                    seen.faults.append(f"browsing: {path}: {type(error).__name__}: {error}")
                seen.seconds.append(time.perf_counter() - started)
                time.sleep(pause)
    return seen


def _check(answer: list[tuple[Any, ...]], rows: int, newest: int, seen: Seen) -> int:
    """Notes what is not whole, of one generation, or older than before; the newest generation in it."""
    if not answer:
        seen.faults.append("no run is there")
    for run_id, count, marks, mark, value, counted in answer:
        if (count, marks, counted) != (rows, 1, rows) or value is None or mark != f"{MARK} {value:.0f}":
            seen.faults.append(f"{run_id}: {count} rows, {marks} marks, {mark}, scores {value}, counted {counted}")
    now = max((int(row[4] or 0) for row in answer), default=-1)
    if now < newest:
        seen.faults.append(f"generation {now} after {newest}")
    seen.generations = max(seen.generations, now)
    return now
