"""Every write, sync, open and rename of an operation fails in turn, below Python: what is left, and does it go on?

cd tests && python -m faults.failing_disk [shard] [record] [publish] [checkpoint] [--every 1] [--ways EIO …]

The operation is done in a copy of this process (fork) in which the Nth call of libc on a file of the workspace fails
(failing_calls.c, built with the machine's C compiler): with ENOSPC or EIO, by writing only a part, or with ENOSPC from
there on. Another copy looks at what is left and does it again. Prints a line of JSON for each case, the last a summary.
"""

from __future__ import annotations

import argparse
import ctypes
import faulthandler
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).with_name("failing_calls.c")
KINDS = {"write": 1, "sync": 2, "open": 4, "rename": 8}
HANGS_S = 60
WAYS = {"ENOSPC": 0, "EIO": 1, "short": 2, "full": 4}
"""``full``: a disk that stays full; only writes can be short."""


@dataclass(frozen=True, slots=True)
class Operation:
    """``prepare`` makes the state before in an empty folder, ``act`` is what fails, ``look`` names the state after."""

    prepare: Callable[[Path], None]
    act: Callable[[Path], None]
    look: Callable[[Path], str]


def build(folder: Path) -> Path | None:
    """The library that makes calls fail, None where there is no C compiler."""
    library = folder / "failing.so"
    try:
        command = ["cc", "-shared", "-fPIC", "-w", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return library


def run(library: Path, *arguments: str) -> list[dict[str, Any]]:
    """This program with the library in it: what it printed."""
    found = subprocess.run(
        [sys.executable, "-m", "faults.failing_disk", *arguments],
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        cwd=SOURCE.parents[1],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-3000:]
    return [json.loads(line) for line in found.stdout.splitlines()]


# ---- operations


def shard() -> Operation:
    from example_rows import ROWS

    from model.dialogue import Rejected
    from storage.layout import Layout
    from storage.ledger import shard_state
    from storage.shards import read_rows, write_shard

    old = ROWS["keyframes"]
    new = [replace(row, jpeg=row.jpeg + bytes(5000)) for row in old]
    refused = [Rejected(old[0].utterance_id, "keyframes", "no_frames", "why")]
    written = {"old": old, "new": new}

    def look(folder: Path) -> str:
        state, manifest = shard_state(Layout(folder), "keyframes", "k", 0)
        if state != "done" or manifest is None:
            return state
        assert read_rows(Layout(folder), "keyframes", "k", 0) == written[manifest["by"]]
        assert read_rows(Layout(folder), "rejects", "k", 0) == refused
        return str(manifest["by"])

    return Operation(
        lambda folder: written_as(write_shard(Layout(folder), "keyframes", "k", 0, [*old, *refused], {"by": "old"})),
        lambda folder: written_as(write_shard(Layout(folder), "keyframes", "k", 0, [*new, *refused], {"by": "new"})),
        look,
    )


def written_as(_manifest: object) -> None:
    pass


def record() -> Operation:
    from storage import ledger
    from storage.layout import Layout

    def save(folder: Path, version: str) -> None:
        layout = Layout(folder)
        ledger.save_run(layout, {"run_id": "demo-1", "name": version, "stages": {}})
        ledger.save_attempt(layout, {"run_id": "demo-1", "attempt": 1, "state": version})

    def look(folder: Path) -> str:
        (run,), (attempt,) = ledger.runs(Layout(folder)), ledger.attempts(Layout(folder), "demo-1")
        return "new" if (run["name"], attempt["state"]) == ("new", "new") else "old"

    return Operation(lambda folder: save(folder, "old"), lambda folder: save(folder, "new"), look)


def publishing() -> Operation:
    import duckdb
    import fake_stages
    import pytest

    from storage.fsck_warehouse import warehouse
    from storage.layout import Layout
    from tasks.plan import load
    from tasks.publish import publish

    fake_stages.install(pytest.MonkeyPatch())

    def prepare(folder: Path) -> None:
        sys.stderr = open(os.devnull, "w")  # noqa: PTH123, SIM115
        first = fake_stages.make(folder, "first")
        fake_stages.go(first)
        publish(first)
        fake_stages.go(fake_stages.make(folder, "second", captions={"prompt": "another"}))

    def act(folder: Path) -> None:
        publish(load(Layout(folder / "workspace"), "second"))

    def look(folder: Path) -> str:
        layout = Layout(folder / "workspace")
        faults = list(warehouse(layout, lambda _key: True))
        assert not faults, faults
        with duckdb.connect(str(layout.database), read_only=True) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM runs").fetchall()}
            rows = connection.execute("SELECT count(*) FROM captions_history").fetchall()[0][0]
        assert rows == {1: 21, 2: 42}[len(names)], rows
        return "new" if "second" in names else "old"

    return Operation(prepare, act, look)


def checkpoint() -> Operation:
    import torch
    from conftest import build_tiny_model

    from model import checkpoints, lora

    folder = Path(tempfile.mkdtemp(prefix="tiny-"))
    build_tiny_model(folder)
    torch.set_num_threads(1)
    model = lora.attach(lora.load(folder, device="cpu")[0], lora.LoraOptions(r=2), "tiny")
    optimizer = torch.optim.AdamW([parameter for _, parameter in lora.trainable(model)], lr=0.01)
    model(input_ids=torch.tensor([[5, 6, 7]])).logits.square().mean().backward()
    optimizer.step()

    def look(place: Path) -> str:
        found = checkpoints.steps(place)
        assert not any(map(checkpoints.damaged, found))
        checkpoints.restore(found[-1], model, optimizer)
        return "new" if found[-1].name.endswith("2") else "old"

    return Operation(
        lambda place: checkpoints.save(place, 1, model, optimizer, {"step": 1}),
        lambda place: checkpoints.save(place, 2, model, optimizer, {"step": 2}),
        look,
    )


OPERATIONS = {"shard": shard, "record": record, "publish": publishing, "checkpoint": checkpoint}


# ---- how it is done


def in_a_copy(work: Callable[[], Any]) -> tuple[str, Any]:
    """("done", what ``work`` returns) or ("error", its type and text), out of a fork of this process."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        faulthandler.dump_traceback_later(HANGS_S, exit=True)
        try:
            answer = ("done", work())
        except BaseException as error:
            answer = ("error", f"{type(error).__name__}: {error}")
            if isinstance(error, AssertionError):
                traceback.print_exc()
        os.write(writing, json.dumps(answer, default=str).encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        data = pipe.read()
    _, status, _ = os.wait4(child, 0)
    return tuple(json.loads(data)) if data else ("died", status)


def measured(operation: Operation, every: int, ways: Collection[str]) -> Iterator[dict[str, Any]]:
    """A case for each call that there is, or for each so many-th."""
    library = ctypes.CDLL(None)
    base = Path(tempfile.mkdtemp(prefix="failing-")).resolve()
    folder, pristine = base / "work", base / "before"
    folder.mkdir()
    assert in_a_copy(lambda: operation.prepare(folder))[0] == "done"
    shutil.copytree(folder, pristine, symlinks=True)
    for kind, way in [(kind, way) for kind in KINDS for way in ways if way != "short" or kind == "write"]:
        number = 0
        while True:
            shutil.rmtree(folder)
            shutil.copytree(pristine, folder, symlinks=True)

            def act(kind: str = kind, way: str = way, number: int = number) -> int:
                library.fail_at(str(folder).encode(), KINDS[kind], ctypes.c_long(number), WAYS[way])
                try:
                    operation.act(folder)
                finally:
                    seen = library.calls_seen()
                    library.fail_at(b"/nowhere", 0, ctypes.c_long(-1), 0)
                return int(seen)

            ended, said = in_a_copy(act)
            after, told = in_a_copy(lambda: (operation.look(folder), left_over(folder)))
            again = in_a_copy(lambda: (operation.act(folder), operation.look(folder))[1])
            state = told[0] if after == "done" else f"{after}: {told}"
            about = {"call": kind, "way": way, "number": number, "ended": ended, "said": said, "state": state}
            if ended == "done" and said <= number:
                break  # there is no such call any more
            yield {**about, "left": told[1] if after == "done" else None, "again": again[1]}
            number += every
    shutil.rmtree(base)


def left_over(folder: Path) -> int:
    """Temporary files that nobody removed."""
    return sum(path.name.startswith(".") for path in folder.rglob("*"))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("operations", nargs="*", default=list(OPERATIONS), choices=[*OPERATIONS, []])
    parser.add_argument("--every", type=int, default=1, help="only each so many-th call")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    options = parser.parse_args()
    if not hasattr(ctypes.CDLL(None), "fail_at"):
        with tempfile.TemporaryDirectory() as folder:
            library = build(Path(folder))
            if library is None:
                raise SystemExit("a C compiler (cc) is needed")
            os.environ["LD_PRELOAD"] = str(library)
            raise SystemExit(subprocess.run([sys.executable, "-m", "faults.failing_disk", *sys.argv[1:]]).returncode)
    for name in options.operations:
        started = time.monotonic()
        cases = []
        for case in measured(OPERATIONS[name](), options.every, options.ways):
            cases.append(case)
            print(json.dumps({"operation": name, **case}), flush=True)
        counts = Counter(case["state"] for case in cases)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000
        whole = {"cases": len(cases), "states": counts, "left": sum(bool(case["left"]) for case in cases)}
        print(json.dumps({"operation": name, **whole, "seconds": time.monotonic() - started, "peak_mb": peak}))


if __name__ == "__main__":
    main()
