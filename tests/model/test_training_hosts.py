"""Two hosts train the adapter that one process would; one that is missing, other or lost is named."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
from group_machine import Killed, Machine, same

from model import checkpoints, training_hosts
from model.errors import TrainingError
from model.training_group import Meeting
from model.training_hosts import Hosts

pytestmark = pytest.mark.usefixtures("one_thread")

LEND = """
import json, sys
from pathlib import Path
from model.errors import TrainingError
from model.training_hosts import Hosts, lend
try:
    print(lend(Hosts(**json.loads(sys.argv[1])), Path("cache"), lambda: False, lambda text: print(text, flush=True)))
except TrainingError as error:
    raise SystemExit(f"error: {error}")
"""


@pytest.fixture
def hosts() -> Hosts:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Hosts(2, 1, f"127.0.0.1:{free.getsockname()[1]}", waiting_s=60.0, run="key")


Lender = Callable[[Hosts, Path], "subprocess.Popen[str]"]


@pytest.fixture
def lender() -> Iterator[Lender]:
    """Starts another host: a process with a directory and a home of its own, gone with its children at the end."""
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    with ExitStack() as stack:

        def start(hosts: Hosts, folder: Path) -> subprocess.Popen[str]:
            folder.mkdir()
            about = json.dumps(dataclasses.asdict(dataclasses.replace(hosts, rank=1)))
            process = subprocess.Popen(
                [sys.executable, "-c", LEND, about],
                cwd=folder,
                env={**os.environ, "HOME": str(folder), "PYTHONPATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
            stack.enter_context(process)
            stack.callback(end, process)
            return process

        yield start


def end(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def lending(hosts: Hosts, folder: Path) -> Iterator[list[str]]:
    """The same as a thread of this process; the one text that the list holds at the end is how it ended."""
    told: list[str] = []

    def work() -> None:
        try:
            told.append(str(training_hosts.lend(dataclasses.replace(hosts, rank=1), folder, lambda: False, str)))
        except TrainingError as error:
            told.append(str(error))

    thread = Thread(target=work)
    thread.start()
    yield told
    thread.join(60)
    assert len(told) == 1


def machine_of(base: Path, folder: Path, hosts: Hosts) -> Machine:
    made = Machine(base, folder, hosts.number * hosts.processes)
    made.hosts = hosts
    return made


def test_two_hosts_train_what_one_does_whatever_becomes_of_either(
    hosts: Hosts, lender: Lender, tiny_model: Path, tmp_path: Path
) -> None:
    alone = Machine(tiny_model, tmp_path / "alone", 1)
    alone.run()
    machine = machine_of(tiny_model, tmp_path / "run", hosts)

    other = lender(hosts, tmp_path / "killed")  # host 1 dies
    with pytest.raises(TrainingError, match=r"step 4: host 1 \(.*\): no sign of life .*; the last checkpoint is kept"):
        machine.run(call_at={3: lambda: (os.killpg(other.pid, signal.SIGKILL), other.wait())})
    assert [path.name for path in checkpoints.steps(tmp_path / "run" / "checkpoints")] == ["step-00000002"]

    with lending(hosts, tmp_path) as said, pytest.raises(Killed):  # host 0 ends before its time
        machine.run(kill_at=4)
    assert said == ["host 0 was stopped (Killed)"]

    with lending(hosts, tmp_path) as said:
        steps = machine.run()
    assert said == ["True"]
    assert [step.step for step in steps] == list(range(1, 7))
    same(machine, alone)


def test_a_host_that_does_not_come_is_named(hosts: Hosts, tiny_model: Path, tmp_path: Path) -> None:
    machine = machine_of(tiny_model, tmp_path, dataclasses.replace(hosts, number=3, waiting_s=0.2))
    with pytest.raises(TrainingError, match=r"host 1, host 2 of 3 did not come to 127.* within 0.2 s.* NODE_RANK=1"):
        machine.run()


def test_a_host_started_with_other_settings_is_refused_on_both(hosts: Hosts, tiny_model: Path, tmp_path: Path) -> None:
    machine = machine_of(tiny_model, tmp_path / "run", hosts)
    found = r"host 1 .* is not like host 0: run is 'other', here 'key', finetune.processes is 2, here 1"
    other = dataclasses.replace(hosts, processes=2, run="other")
    with lending(other, tmp_path) as said, pytest.raises(TrainingError, match=found):
        machine.run()
    assert "is not like host 0: run is 'other', here 'key'" in said[0]


def test_a_process_of_another_host_that_fails_says_why(hosts: Hosts, tiny_model: Path, tmp_path: Path) -> None:
    machine = machine_of(tiny_model, tmp_path / "run", hosts)
    machine.job = dataclasses.replace(machine.job, base="./only-here")
    found = r"host 1 \(.*\): training process 1 ended \(1\): no model './only-here'"
    with lending(hosts, tmp_path) as said, pytest.raises(TrainingError, match=found):
        machine.run()
    assert "no model './only-here'" in said[0]


def test_host_0_that_is_lost_is_told(hosts: Hosts, tmp_path: Path) -> None:
    """Host 0 is a process of its own here, and ended at once, without a word."""
    lead = "from model.training_group import Meeting; import sys; m = Meeting(sys.argv[1], lead=True); sys.stdin.read()"
    command = [sys.executable, "-c", lead, hosts.meet]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process, lending(hosts, tmp_path) as said:
        watching = training_hosts._knock(hosts, lambda: False)
        assert watching
        watching.hear("host/1")
        process.kill()
    assert said[0].startswith(f"host 0 is gone ({hosts.meet} no longer answers); run it again there and here")


def test_host_0_that_does_not_come_and_training_that_is_over(hosts: Hosts, tmp_path: Path) -> None:
    said: list[str] = []
    assert not training_hosts.lend(hosts, tmp_path, lambda: True, said.append)
    early = dataclasses.replace(hosts, waiting_s=0.2)
    with pytest.raises(TrainingError, match=r"nobody has answered at 127.* for 0.2 s\. .*NODE_RANK=0"):
        training_hosts.lend(early, tmp_path, lambda: False, said.append)
    assert len(said) == 2


def test_two_hosts_of_one_number(hosts: Hosts, tmp_path: Path) -> None:
    """Host 0 has found the other one, and says go."""
    meeting = Meeting(hosts.meet, lead=True)
    with lending(hosts, tmp_path) as said:
        meeting.hear("host/1")
        meeting.say("host/1", json.dumps({"id": "that of another"}))
        meeting.say("go")
    assert "another host came as host 1: give each a NODE_RANK" in said[0]
