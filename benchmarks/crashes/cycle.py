"""One workspace from empty to finished, killed all the way."""

from __future__ import annotations

import json
import math
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crashes.forked import Forked
from crashes.setting import environment, make_workspace, spoil
from crashes.state import age, alive, manifests, pending, share_left

from storage import ledger
from storage.layout import Layout
from tasks.plan import load
from tasks.stages import STAGES

VICTIM = Path(__file__).with_name("victim.py")
LONGEST_S = 600.0
SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill: where it fell, before which file operation if it was aimed at one, and whether children were spared."""

    place: str
    step: str
    alone: bool
    engine: str


@dataclass(slots=True)
class Soak:
    """What all cycles share: the reference's operations and durations by place, and what was found so far."""

    folder: Path
    config: Path
    cache: Path
    steps: dict[str, list[str]] = field(default_factory=dict)
    lasted: dict[str, float] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)
    seconds: float = 0.0
    repeated: int = 0
    left: int = 0
    attempts_wrong: int = 0
    preloaded: bool = False

    def reference(self) -> None:
        """The run that nobody kills, listened to."""
        workspace = self.folder / "reference"
        shutil.rmtree(workspace, ignore_errors=True)
        make_workspace(workspace, self.cache, drawn=True)
        started = time.monotonic()
        for until in ("ingest", "report"):
            victim = Victim(self, workspace, {}, until=until)
            victim.listen(None)
            victim.must_have_ended_well()
            spoil(workspace)  # between two commands, as in the cycles
            self.steps = {
                place: self.steps.get(place, []) + steps for place, steps in (self.steps | victim.steps).items()
            }
            for place, seconds in victim.lasted.items():
                self.lasted[place] = max(seconds, self.lasted.get(place, 0.0))
        self.seconds = time.monotonic() - started

    def cycle(
        self, workspace: Path, chance: random.Random, *, per_stage: int, api: str | None, most: int | None = None
    ) -> None:
        """Kills in every stage and every publishing, until the run is left to end; then looks at what is left."""
        groups: list[int] = []
        quota = {"start": 1, **{stage.name: per_stage for stage in STAGES}}
        quota |= {f"after {stage.name}": 1 for stage in STAGES}
        first = len(self.kills)
        while most is None or len(self.kills) - first < most:
            spoil(workspace)
            target = self._target(workspace, quota)
            if target is None:
                break
            quota[target] -= 1
            place = "publishing" if target.startswith("after ") else target
            aim = {**self._aim(workspace, place, chance), "one_process": chance.random() < 0.75}
            before = manifests(workspace)
            waiting = pending(workspace)  # the clip is spoilt between ingest and keyframes, so none goes through both
            until = "ingest" if waiting is None or "ingest" in waiting else "report"
            victim = Victim(self, workspace, aim, until=until, api=api)
            victim.listen(aim)
            groups.append(victim.process.pid)
            if victim.killed:
                engine = "prefect" if api else "direct"
                self.kills.append(Kill(victim.place, victim.step, aim["alone"], engine))
            elif victim.process.returncode:
                victim.must_have_ended_well()
            self._count_repeated(before, workspace)
        for until in ("ingest", "report"):
            spoil(workspace)
            victim = Victim(self, workspace, {}, until=until, api=api)
            victim.listen(None)
            victim.must_have_ended_well()
        self._look_at_the_end(workspace, groups)

    def _target(self, workspace: Path, quota: dict[str, int]) -> str | None:
        """The next place in the run's order that is to be killed in; None when the rest may be let be."""
        if quota["start"]:
            return "start"
        waiting = pending(workspace)
        for stage in [stage.name for stage in STAGES if waiting is None or stage.name in waiting]:
            for place in (stage, f"after {stage}"):
                if quota[place]:
                    return place
        return None

    def _aim(self, workspace: Path, place: str, chance: random.Random) -> dict[str, Any]:
        alone = chance.random() < 0.25
        left = share_left(workspace, place)
        if place == "publishing" and chance.random() < 1 / 3 and (workspace / "results.duckdb").exists():
            age(workspace / "results.duckdb", chance)
            return {"place": "migration", "after_s": chance.uniform(0, 0.3), "alone": alone}
        if place != "start" and chance.random() < 0.5:
            longest = SHARE * left * self.lasted.get(place, 1.0)  # so that the stage has not ended before
            return {"place": place, "after_s": chance.uniform(0, longest), "alone": alone}
        kinds = Counter(self.steps[place])
        hit = Counter(kill.step for kill in self.kills if kill.place == place)
        fewest = min(hit[kind] for kind in kinds)
        kind = chance.choice(sorted(kind for kind in kinds if hit[kind] == fewest))
        nth = chance.randint(1, max(1, math.ceil(left * kinds[kind])))
        return {"place": place, "kind": kind, "nth": nth, "alone": alone}

    def _count_repeated(self, before: dict[str, int], workspace: Path) -> None:
        after = manifests(workspace)
        again = [name for name, stamp in before.items() if after.get(name) != stamp]
        self.repeated += len(again)
        if again:
            print("done again:", *again, flush=True)

    def _look_at_the_end(self, workspace: Path, groups: list[int]) -> None:
        end = time.monotonic() + 60  # decoders end by themselves once nobody listens
        while (left := alive(groups)) and time.monotonic() < end:
            time.sleep(0.5)
        self.left += len(left)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        layout = Layout(workspace.resolve())
        tries = ledger.attempts(layout, load(layout).run_id)
        states = [item["state"] for item in tries]
        fine = states[-1] == "completed" and "running" not in states
        self.attempts_wrong += not (fine and [item["attempt"] for item in tries] == list(range(1, len(tries) + 1)))


class Victim:
    """One run of the command line that is listened to, and perhaps killed."""

    def __init__(
        self, soak: Soak, workspace: Path, aim: dict[str, Any], *, until: str = "report", api: str | None = None
    ) -> None:
        self.place, self.step, self.killed = "start", "", False
        self.steps: dict[str, list[str]] = {}
        self.lasted: dict[str, float] = {}
        self.pipe, theirs = os.pipe()
        spec = aim if "kind" in aim else {}
        more = {"SOAK_PIPE": str(theirs), "SOAK_ROOT": str(workspace), "SOAK_SPEC": json.dumps(spec)}
        more |= {"PREFECT_API_URL": api} if api else {}
        home = soak.folder / "home"
        home.mkdir(exist_ok=True)
        self.log = soak.folder / "victim.log"
        arguments = ["run", str(soak.config), "-w", str(workspace), "--until", until, *([] if api else ["--direct"])]
        arguments += ["--set", "captions.processes=0"] if aim.get("one_process") else []
        self.process = self._start(
            arguments, environment(home, **more), home, theirs, forked=soak.preloaded and not api
        )
        os.close(theirs)

    def _start(
        self, arguments: list[str], variables: dict[str, str], home: Path, theirs: int, *, forked: bool
    ) -> subprocess.Popen[bytes] | Forked:
        if forked:
            return Forked(arguments, variables, home, self.log)
        with self.log.open("wb") as log:
            return subprocess.Popen(
                [sys.executable, str(VICTIM), *arguments],
                env=variables,
                cwd=home,
                stdout=log,
                stderr=log,
                pass_fds=[theirs],
                start_new_session=True,
            )

    def listen(self, aim: dict[str, Any] | None) -> None:
        """Reads what it says until it has ended; kills it ``after_s`` seconds after it came to the place."""
        due, started, entered = math.inf, time.monotonic(), time.monotonic()
        timed = aim is not None and "after_s" in aim
        rest = b""
        while True:
            wait = min(due, started + LONGEST_S) - time.monotonic()
            ready = select.select([self.pipe], [], [], max(0.0, min(wait, 1.0)))[0]
            if time.monotonic() >= due or time.monotonic() > started + LONGEST_S:
                self._kill(bool(aim and aim["alone"]))
                due = math.inf
            if not ready:
                if self.process.poll() is not None:
                    break  # children that were spared may hold the pipe
                continue
            data = os.read(self.pipe, 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                word, _, said = line.decode().partition(" ")
                if word == "place":
                    self.lasted[self.place] = self.lasted.get(self.place, 0.0) + time.monotonic() - entered
                    if timed and aim and self.place == aim["place"]:
                        due = time.monotonic()  # it was faster than thought: kill it here
                    self.place, entered = said, time.monotonic()
                elif word == "step":
                    place, _, kind = said.partition("|")
                    self.steps.setdefault(place, []).append(kind)
                elif word == "killed":
                    self.killed, self.step = True, said.partition("|")[2]
                elif word == "migration" and timed and aim and aim["place"] == "migration" and due == math.inf:
                    self.place, due = "migration", time.monotonic() + aim["after_s"]
                if word == "place" and timed and aim and said == aim["place"] and due == math.inf:
                    due = time.monotonic() + aim["after_s"]
        os.close(self.pipe)
        self.process.wait()

    def _kill(self, alone: bool) -> None:
        self.killed = self.process.poll() is None
        with suppress(ProcessLookupError):
            (os.kill if alone else os.killpg)(self.process.pid, signal.SIGKILL)

    def must_have_ended_well(self) -> None:
        if self.process.returncode:
            raise SystemExit(f"the run ended with {self.process.returncode}:\n{self.log.read_text(errors='replace')}")
