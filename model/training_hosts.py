"""Training by several hosts: host 0 runs the pipeline and listens, the others lend their processes.

A host that lends starts its own processes (training_workers.py) and watches over them; they meet process 0 by
themselves. All that the hosts say to one another stands in torch's store on host 0:

    host/<n>    what a host is and was started with      go     host 0 has found all of them
    alive/<n>   a number that rises while it is there    fault  why the run is over
"""

from __future__ import annotations

import json
import platform
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from uuid import uuid4

from model import training_group
from model.errors import TrainingError
from model.training_group import Lost, Meeting, Place
from model.training_workers import Workers

POLL_S = 0.5
_GONE_S = 5.0


@dataclass(frozen=True, slots=True)
class Hosts:
    """``number`` of hosts with ``processes`` each that meet at ``meet``, ``host:port``; this is number ``rank``.

    ``waiting_s``: how long one waits for the others. ``run`` names what is trained: the stage's key.
    """

    number: int
    processes: int
    meet: str
    rank: int = 0
    waiting_s: float = 600.0
    run: str = ""

    def places(self, cache: Path) -> list[Place]:
        """Those of this host's processes."""
        ranks = range(self.rank * self.processes, (self.rank + 1) * self.processes)
        size = self.number * self.processes
        return [Place(rank, size, self.meet, local, str(cache)) for local, rank in enumerate(ranks)]

    def about(self) -> dict[str, Any]:
        """What must be the same on every host."""
        versions = {name: version(name) for name in ("dialoguellm", "torch", "transformers", "peft")}
        return {"run": self.run, "finetune.hosts": self.number, "finetune.processes": self.processes, **versions}


class Others:
    """The other hosts, as host 0 knows them."""

    def __init__(self, hosts: Hosts, meeting: Meeting) -> None:
        self._hosts, self._meeting = hosts, meeting
        self._names = {rank: f"host {rank}" for rank in range(1, hosts.number)}

    def gather(self, report: Callable[[int, int, str], None]) -> None:
        """Waits until all have come. Raises TrainingError naming those that have not, or that differ from this one."""
        until, mine = time.monotonic() + self._hosts.waiting_s, self._hosts.about()
        missing = list(self._names)
        while missing:
            missing = [rank for rank in missing if not self._meeting.said(f"host/{rank}")]
            report(self._hosts.number - len(missing), self._hosts.number, "hosts are there")
            if missing and time.monotonic() > until:
                raise TrainingError(
                    f"{', '.join(f'host {rank}' for rank in missing)} of {self._hosts.number} did not come to "
                    f"{self._hosts.meet} within {self._hosts.waiting_s:g} s: start the same command there with "
                    f"NODE_RANK={missing[0]}, or set finetune.hosts"
                )
            time.sleep(POLL_S if missing else 0)
        for rank in self._names:
            theirs = json.loads(self._meeting.hear(f"host/{rank}"))
            self._names[rank] = f"host {rank} ({theirs.pop('name')})"
            theirs.pop("id")
            if wrong := [
                f"{key} is {theirs.get(key)!r}, here {mine[key]!r}" for key in mine if theirs.get(key) != mine[key]
            ]:
                raise TrainingError(f"{self._names[rank]} is not like host 0: {', '.join(wrong)}; make them the same")
        self._meeting.say("go")

    def fault(self, wait_s: float = 0.0) -> str:
        """Why the run cannot go on as far as another host knows; with ``wait_s`` also which of them are silent."""
        before, until = self._signs(), time.monotonic() + wait_s
        while True:
            if text := _reason(self._meeting):
                return text
            if time.monotonic() >= until:
                break
            time.sleep(POLL_S)
        now = self._signs()
        gone = [name for rank, name in self._names.items() if wait_s and now[rank] == before[rank]]
        return f"{' and '.join(gone)}: no sign of life for {wait_s:g} s" if gone else ""

    def over(self, reason: str) -> None:
        """Tells the others why the run is over, and gives them a moment to hear it."""
        _blame(self._meeting, reason)
        time.sleep(3 * POLL_S)

    def _signs(self) -> dict[int, int]:
        return {rank: self._meeting.count(f"alive/{rank}") for rank in self._names}


def lend(hosts: Hosts, cache: Path, over: Callable[[], bool], report: Callable[[str], None]) -> bool:
    """Computes for host 0 until its training is over; False where there was nothing to compute.

    ``over`` says whether the training is done already. Raises TrainingError where host 0 does not come or is lost,
    where another host or a process of this one ends the run, and where the hosts are not alike.
    """
    report(f"host {hosts.rank} of {hosts.number}: waiting for host 0 at {hosts.meet}")
    meeting = _knock(hosts, over)
    if meeting is None:
        return False
    with ExitStack() as stack:
        stack.enter_context(closing(meeting))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dialoguellm-")))
        workers = Workers(hosts.places(cache), folder)
        stack.callback(workers.end)
        try:
            _come(hosts, meeting)
            report(f"host {hosts.rank} of {hosts.number}: all hosts are there, training begins")
            workers.start()
            _watch(hosts, meeting, workers)
        except BaseException as error:
            if not _in_time(workers):
                raise _explained(hosts, meeting, workers, error) from error
    return True


def _knock(hosts: Hosts, over: Callable[[], bool]) -> Meeting | None:
    until = time.monotonic() + hosts.waiting_s
    while not over():
        if training_group.answers(hosts.meet):
            return Meeting(hosts.meet)
        if time.monotonic() > until:
            raise TrainingError(
                f"host 0 did not come: nobody has answered at {hosts.meet} for {hosts.waiting_s:g} s. Start the same "
                "command there with NODE_RANK=0, or raise finetune.host_timeout where training begins later"
            )
        time.sleep(POLL_S)
    return None


def _come(hosts: Hosts, meeting: Meeting) -> None:
    """Says that this host is there and waits for the others."""
    own, key = uuid4().hex, f"host/{hosts.rank}"
    meeting.say(key, json.dumps({**hosts.about(), "name": platform.node(), "id": own}))
    while not meeting.said("go"):
        _live(hosts, meeting)
    if json.loads(meeting.hear(key))["id"] != own:
        raise TrainingError(f"another host came as host {hosts.rank}: give each a NODE_RANK of its own")


def _watch(hosts: Hosts, meeting: Meeting, workers: Workers) -> None:
    """Until all processes of this host have ended as they should."""
    while not workers.ended():
        _live(hosts, meeting)
        if text := workers.fault():
            raise TrainingError(text)
        if workers.lost():
            raise TrainingError(_told(meeting) or "the other hosts are lost")


def _live(hosts: Hosts, meeting: Meeting) -> None:
    """A sign of life and a moment's wait. Raises TrainingError where another host has ended the run."""
    meeting.count(f"alive/{hosts.rank}", 1)
    if text := _reason(meeting):
        raise TrainingError(text)
    time.sleep(POLL_S)


def _in_time(workers: Workers) -> bool:
    """Whether all processes end as they should: host 0 is gone because training is over."""
    until = time.monotonic() + _GONE_S
    while workers.running and time.monotonic() < until:
        if workers.ended():
            return True
        if workers.fault() or workers.lost():
            return False
        time.sleep(POLL_S / 10)
    return False


def _explained(hosts: Hosts, meeting: Meeting, workers: Workers, error: BaseException) -> BaseException:
    """What ended the run, told to the other hosts too where it was this one."""
    try:
        if text := _reason(meeting):
            return TrainingError(text)
        mine = workers.fault() or (str(error) if isinstance(error, TrainingError) else type(error).__name__)
        mine = f"host {hosts.rank} ({platform.node()}): {mine}"
        _blame(meeting, mine)
    except Lost:
        return TrainingError(
            f"host 0 is gone ({hosts.meet} no longer answers); run it again there and here: "
            "it goes on from its last checkpoint"
        )
    return TrainingError(mine) if isinstance(error, Exception) else error


def _told(meeting: Meeting) -> str:
    """What another host says of the end, waiting for it a while."""
    until = time.monotonic() + 2 * _GONE_S
    while not (text := _reason(meeting)) and time.monotonic() < until:
        time.sleep(POLL_S)
    return text


def _reason(meeting: Meeting) -> str:
    return meeting.hear("fault") if meeting.said("fault") else ""


def _blame(meeting: Meeting, reason: str) -> None:
    """The first word stands."""
    with suppress(Lost):
        if not meeting.said("fault"):
            meeting.say("fault", reason)
