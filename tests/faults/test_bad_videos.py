"""Every bad file through the real decoders and the whole stage: frames, or exactly the reason why not."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from faults.attacks import attacks
from faults.bad_videos import FRAMES, SECRET_SCENE, SUSPECT, Case, Kit, every_case
from faults.boxes import edited, samples
from faults.table import row
from video_clips import which_scene

from model.dialogue import Keyframe, Rejected, Utterance
from model.errors import VideoError
from tasks.keyframes import KeyframesSettings, run
from tasks.stage import Context
from tasks.video import process
from tasks.video.options import Options
from tasks.video.outcome import Outcome
from tasks.video.pool import WorkerPool
from tasks.video.reasons import ADVICE

MEMORY = 3 * 2**30
CASES = every_case()


def word(outcome: Outcome) -> str:
    if isinstance(outcome, VideoError):
        return outcome.reason
    return SUSPECT if all(chosen.suspect for chosen in outcome) else FRAMES


def workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "tasks.video.worker" in child.cmdline()]


@pytest.fixture(scope="module")
def pool() -> Iterator[WorkerPool]:
    made = WorkerPool(2, MEMORY)
    yield made
    made.close()


@pytest.fixture(scope="module")
def outcomes(kit: Kit, missing: dict[str, str], pool: WorkerPool) -> dict[str, Outcome]:
    names = [case.name for case in CASES if case.name not in missing]
    pending = {name: pool.submit((kit.root, name, [(0.0, None)]), Options()) for name in names}
    return {name: future.result()[0] for name, future in pending.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case.name)[:40])
def test_outcome(case: Case, outcomes: dict[str, Outcome], missing: dict[str, str]) -> None:
    if case.name in missing:
        pytest.skip(missing[case.name])
    outcome = outcomes[case.name]
    assert word(outcome) == case.outcome, outcome
    if isinstance(outcome, VideoError):
        assert ADVICE[outcome.reason] in str(outcome), "says what to do"


def test_there_are_enough_cases_and_no_two_of_a_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 45


def test_memory_stays_far_below_its_limit(outcomes: dict[str, Outcome]) -> None:
    assert outcomes
    peaks = []
    for worker in workers():
        assert worker.rlimit(psutil.RLIMIT_AS) == (MEMORY, MEMORY)
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker.pid}/status").read_text())
        assert found
        peaks.append(int(found[1]) * 1024)
    assert peaks
    assert max(peaks) < 2 * 10**9


def test_the_stage_gives_frames_or_one_reject_for_each(kit: Kit, missing: dict[str, str]) -> None:
    lines = [
        Utterance(f"x/test/0/{at}", "x", "test", "0", at, str(at), "A", "Hi.", "joy", None, case.name)
        for at, case in enumerate(CASES)
    ]
    context = Context(cache=Path(), folder=Path(), videos=kit.root)
    rows = list(run({"utterances": lines}, KeyframesSettings(workers=2), context))
    for line, case in zip(lines, CASES, strict=True):
        mine = [row for row in rows if row.utterance_id == line.utterance_id]
        if case.outcome in (FRAMES, SUSPECT):
            assert 1 <= len(mine) <= 4
            assert all(isinstance(row, Keyframe) for row in mine), case
        elif case.name not in missing:
            assert [getattr(row, "reason", None) for row in mine] == [case.outcome], case
    assert "decoder_error" not in {row.reason for row in rows if isinstance(row, Rejected)}


def test_no_attack_shows_what_lies_outside(outcomes: dict[str, Outcome]) -> None:
    shown = [outcome for case in attacks.cases if isinstance(outcome := outcomes.get(case.name), list)]
    assert shown
    scenes = {which_scene(chosen.jpeg, range(1, SECRET_SCENE + 1)) for outcome in shown for chosen in outcome}
    assert scenes == {1, 2, 3}


def test_the_memory_limit_costs_a_file_its_frames_and_nobody_else(
    kit: Kit, missing: dict[str, str], pool: WorkerPool
) -> None:
    assert "pixels.mp4" not in missing
    request = (kit.root, "pixels.mp4", [(0.0, None)])
    generous = Options(max_pixels=10**9)
    small = WorkerPool(1, 512 * 2**20)
    try:
        assert word(pool.submit(request, generous).result()[0]) == FRAMES
        assert word(small.submit(request, generous).result()[0]) in ("too_large", "undecodable")
        assert word(small.submit((kit.root, "webm.mp4", [(0.0, None)]), generous).result()[0]) == FRAMES
    finally:
        small.close()


@pytest.mark.parametrize("name", ["half.mkv", "half.avi", "half.ts"])
def test_a_decoder_that_finds_nothing_in_a_terabyte_is_ended(
    name: str, kit: Kit, missing: dict[str, str], pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert name not in missing
    (kit.outside / "vast").write_bytes((kit.root / name).read_bytes()[:9_000])
    os.truncate(kit.outside / "vast", 2**40)
    monkeypatch.setattr(process, "GRACE_S", 0.1)
    options = Options(timeout_s=0.5)
    (outcome,) = pool.submit((kit.outside, "vast", [(0.0, None)]), options).result()
    assert word(outcome) == "timed_out"
    assert "was ended" in str(outcome)


@pytest.mark.parametrize(
    ("name", "size"),
    [("two_videos.mp4", (320, 180)), ("rotated.mp4", (180, 320)), ("starts_at_100.ts", (320, 180))],
)
def test_the_frames_are_the_right_ones(name: str, size: tuple[int, int], outcomes: dict[str, Outcome]) -> None:
    frames = outcomes[name]
    assert isinstance(frames, list)
    assert {(chosen.width, chosen.height) for chosen in frames} == {size}
    assert [int(chosen.time_s) for chosen in frames] == [0, 1, 2]


def test_the_page_tells_every_case() -> None:
    told = (Path(__file__).parents[2] / "docs" / "video-faults.md").read_text()
    assert [case.name for case in CASES if row(case) not in told] == [], "make its table anew: see faults/table.py"


def test_more_work_than_a_file_may_cost_is_timed_out(kit: Kit, pool: WorkerPool) -> None:
    data = kit.clip.read_bytes()
    (size,) = struct.unpack_from(">I", data, data.index(b"stsz") + 16)
    fast_clock = {b"mdhd": lambda payload: payload[:12] + struct.pack(">I", 10**9) + payload[16:]}
    (kit.outside / "work.mp4").write_bytes(edited(samples(data, 1, size, 1, chunks=9_000), fast_clock))
    options = Options(timeout_s=0.01)
    found = pool.submit((kit.outside, "work.mp4", [(0.0, None), (1.0, 2.0)]), options).result()
    assert [word(outcome) for outcome in found] == ["timed_out"] * 2
    assert word(pool.submit((kit.root, "webm.mp4", [(0.0, None)]), Options()).result()[0]) == FRAMES
