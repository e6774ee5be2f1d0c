from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.errors import WorkspaceLocked
from storage import leases
from storage.leases import leased
from storage.mirror import Mirror
from storage.remote import bucket_of

HOLD = """
import sys, time
from pathlib import Path
from storage.leases import leased
from storage.mirror import mirror_of
mirror = mirror_of(sys.argv[1])
with leased(mirror, mirror.root / "locks/demo.json", "demo"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def here(bucket: str, tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "here", bucket_of(bucket))


@pytest.fixture
def there(bucket: str, tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "there", bucket_of(bucket))


def lock(mirror: Mirror) -> Path:
    return mirror.root / "locks" / "demo.json"


def test_one_holds_it_and_gives_it_back(here: Mirror, there: Mirror) -> None:
    for mirror, other in ((here, there), (there, here), (here, there)):
        with leased(mirror, lock(mirror), "demo"):
            with pytest.raises(WorkspaceLocked, match=rf"'demo' is in use by process {os.getpid()} on"):
                leased(other, lock(other), "demo").__enter__()
            mirror.upload(mirror.root / "a", b"may be written")
    assert not here.guards
    assert not there.guards


def test_waiting_for_it(here: Mirror, there: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "ASK_AGAIN_S", 0.01)
    holding = leased(here, lock(here), "demo")
    holding.__enter__()
    monkeypatch.setattr(leases.time, "sleep", lambda _s: holding.__exit__(None, None, None))
    with leased(there, lock(there), "demo", wait_s=60):
        pass


def test_who_was_killed_on_this_machine_holds_nothing(bucket: str, here: Mirror) -> None:
    command = [sys.executable, "-c", HOLD, bucket]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(WorkspaceLocked):
            leased(here, lock(here), "demo").__enter__()
        process.send_signal(signal.SIGKILL)
        process.wait()
        with leased(here, lock(here), "demo"):
            pass


def test_of_another_machine_nothing_is_known_but_its_silence(
    here: Mirror, there: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first neither renews nor ends: as a machine that was switched off, or that was cut off and comes back."""
    monkeypatch.setenv(leases.SECONDS, "1000")
    first = leased(here, lock(here), "demo")
    first.__enter__()
    record = json.loads(here.bucket.read("locks/demo.json")[0])  # type: ignore[index]
    assert record["held"]
    with pytest.raises(WorkspaceLocked, match=r"if that machine is gone, try again in \d+ s"):
        leased(there, lock(there), "demo").__enter__()
    time.sleep(1.1)  # the server's clock counts whole seconds
    monkeypatch.setenv(leases.SECONDS, "1")
    with leased(there, lock(there), "demo"):
        monkeypatch.setenv(leases.SECONDS, "1000")
        there.upload(there.root / "a", b"by the second")
        monkeypatch.setenv(leases.SECONDS, "1")
        with pytest.raises(WorkspaceLocked, match="nothing more is written"):
            here.upload(here.root / "a", b"by the first")
        monkeypatch.setenv(leases.SECONDS, "1000")
    assert here.bucket.read("a")[0] == b"by the second"  # type: ignore[index]
    first.__exit__(None, None, None)


def test_a_holder_renews(here: Mirror, there: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(leases.SECONDS, "1")
    with leased(here, lock(here), "demo"):
        before = here.bucket.head("locks/demo.json")
        time.sleep(2.5)
        monkeypatch.setenv(leases.SECONDS, "1000")
        here.upload(here.root / "a", b"still ours")
        after = here.bucket.head("locks/demo.json")
        with pytest.raises(WorkspaceLocked):
            leased(there, lock(there), "demo").__enter__()
    assert before != after


def test_a_put_whose_answer_was_lost_is_known_as_ours(here: Mirror) -> None:
    lease = leases._Lease(here, "locks/demo.json", "demo")
    lease._write(None)  # botocore would send it again, and the server would refuse the second
    assert lease._again() is None
    lease.check()


@pytest.mark.parametrize("text", [b"", b"[]", b'{"held": true, "pid": "x"}'])
def test_a_damaged_lease_is_waited_for_or_taken(here: Mirror, text: bytes) -> None:
    here.bucket.put("locks/demo.json", text)
    if b"held" in text:
        with pytest.raises(WorkspaceLocked, match="process x on"):
            leased(here, lock(here), "demo").__enter__()
    else:
        with leased(here, lock(here), "demo"):
            pass


@pytest.mark.parametrize(("text", "expected"), [("5", 5), ("0", 1), ("many", 60)])
def test_how_long_it_lasts(text: str, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(leases.SECONDS, text)
    assert leases.seconds() == expected
