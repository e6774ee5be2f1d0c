"""Files of a workspace damaged at random: found, never read as other rows, made again as they were."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import fake_stages
import pyarrow.parquet as pq
import pytest
from example_rows import ROWS
from fake_stages import go, make

from model.errors import WorkspaceError
from storage import ledger
from storage.layout import Layout
from storage.shards import read_columns, read_rows, write_shard
from tasks.drive import Selection, planned
from tasks.fsck import faults, repair
from tasks.plan import Run, load


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    fake_stages.install(monkeypatch)
    monkeypatch.setattr("tasks.fsck.publish", lambda _run: None)
    run = make(tmp_path, captions={"reject": ("fake/train/0/1", "fake/test/1/2"), "max_rejects": 0.5})
    go(run)
    return run


def flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    place = rng.randrange(8 * len(data))
    data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


def cut(path: Path, rng: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: rng.randrange(path.stat().st_size - 1)])


def zero(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    start = rng.randrange(len(data))
    data[start : start + 64] = bytes(len(data[start : start + 64]))
    path.write_bytes(data)


def delete(path: Path, _rng: random.Random) -> None:
    path.unlink()


DAMAGES: list[Callable[[Path, random.Random], None]] = [flip, flip, flip, cut, zero, delete]


def rows(layout: Layout) -> dict[str, list[dict[str, object]]]:
    parts = sorted(layout.lake.rglob("part-*.parquet"))
    return {str(path.relative_to(layout.lake)): pq.read_table(path).to_pylist() for path in parts}


@pytest.mark.parametrize("seed", range(2))
def test_random_damage_is_found_and_put_right(run: Run, seed: int) -> None:
    rng = random.Random(seed)
    before = rows(run.layout)
    for _ in range(5):
        folders = [run.layout.lake, run.layout.root / "models", run.layout.root / "reports"]
        paths = sorted(path for folder in folders for path in folder.rglob("*") if path.is_file())
        hit = rng.sample(paths, rng.choice([1, 2, 4]))
        whole = {path: path.read_bytes() for path in hit}
        for path in hit:
            rng.choice(DAMAGES)(path, rng)
        changed = {path for path in hit if not path.exists() or path.read_bytes() != whole[path]}
        found = faults(run.layout, None)
        named = {run.layout.root / fault.file for fault in found} | {path for fault in found for path in fault.aside}
        pending = {item.stage.name for item in planned(run, Selection()) if item.pending}
        for path in changed:
            gone = not path.exists() and path.suffix == ".json" and pending  # without its manifest a shard is not there
            same = path.exists() and path.suffix == ".json" and _same_record(path, whole[path])
            assert path in named or gone or same, (path, len(whole[path]))
        repair(run.layout, found)
        go(run)
        assert rows(run.layout) == before
        left = [fault for fault in faults(run.layout, None) if not same_name(fault.file, changed)]
        assert left == []


def same_name(file: str, changed: set[Path]) -> bool:
    return any(str(path).endswith(file) for path in changed)


def _same_record(path: Path, whole: bytes) -> bool:
    from storage import sealed

    try:
        return all(sealed.loads(path.read_bytes()).get(name) == value for name, value in sealed.loads(whole).items())
    except ValueError:
        return False


def test_no_flipped_bit_gives_other_rows(tmp_path: Path) -> None:
    layout, rng = Layout(tmp_path), random.Random(7)
    write_shard(layout, "predictions", "k", 0, ROWS["predictions"], {})
    path = layout.part("predictions", "k", 0)
    whole = path.read_bytes()
    for _ in range(200):
        flip(path, rng)
        for read in (read_rows, lambda *given: read_columns(*given, ["predicted"])):
            with pytest.raises(WorkspaceError, match=r"is damaged .*fsck --repair"):
                read(layout, "predictions", "k", 0)
        path.write_bytes(whole)
    assert read_rows(layout, "predictions", "k", 0) == ROWS["predictions"]


class Clock:
    """Stands for ``datetime`` in the ledger, and can be set back."""

    def __init__(self) -> None:
        self.back = timedelta()

    def now(self, _zone: object) -> datetime:
        return datetime.now(UTC) - self.back

    fromisoformat = staticmethod(datetime.fromisoformat)


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)
    clock = Clock()
    monkeypatch.setattr(ledger, "datetime", clock)
    first, second = make(tmp_path, "first"), make(tmp_path, "second", captions={"prompt": "another"})
    go(first)
    clock.back = timedelta(days=400)
    go(second)
    assert load(second.layout).run_id == second.run_id, "the last run is the one that was used last"
    go(first)
    assert load(first.layout).run_id == first.run_id
    assert [attempt["attempt"] for attempt in ledger.attempts(first.layout, first.run_id)] == [1, 2]
    forced = Selection(("captions",), force=True)
    assert go(first, forced).done == {"captions": 4}
    begun = ledger.attempts(first.layout, first.run_id)[-1]["started_at"]
    retried = planned(first, Selection(("captions",), force=True, since=begun))[0]
    assert {item.shard for item in retried.pending} == {0, 1, 2, 3}, "what a later clock dated is not taken for done"
