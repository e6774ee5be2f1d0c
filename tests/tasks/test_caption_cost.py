from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from example_rows import ROWS
from framed_run import framed

from model.atomic import write_json
from model.caption_models import MODELS
from model.caption_time import Speed
from storage import ledger
from tasks import caption_cost, caption_estimate
from tasks.caption_cost import Cost, cost, line, memory, told
from tasks.captions import CaptionsSettings
from tasks.plan import Run, plan_stage
from tasks.stages import BY_NAME

CAPTIONS = BY_NAME["captions"]


def done(run: Run, shard: int, seconds: float) -> None:
    """A manifest of three captions, as a shard's is."""
    totals = {"n_tokens": 3 * sum(row.n_tokens for row in ROWS["captions"][:1]), "n_frames": 6}
    facts = {"rows": 3, "rejects": 0, "inputs": 3, "seconds": seconds, "totals": totals, "bytes": 0}
    key = run.key(CAPTIONS)
    run.layout.part("captions", key, shard).write_bytes(b"")
    write_json(run.layout.manifest("captions", key, shard), facts)


def pending(run: Run, shards: tuple[int, ...] = (0, 1, 2, 3)) -> None:
    for shard in shards:
        run.layout.manifest("captions", run.key(CAPTIONS), shard).unlink(missing_ok=True)


def found(run: Run) -> Cost | None:
    return cost(run, plan_stage(run, CAPTIONS))


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_estimate, "_speed", lambda: Speed(2e11, 2e10))


def test_before_the_first_shard_the_time_is_reckoned(tmp_path: Path) -> None:
    run = framed(tmp_path)
    assert found(run) is None, "nothing is pending"
    pending(run)
    first = found(run)
    assert first is not None
    assert first.seconds is not None
    assert replace(first, seconds=None) == Cost(12, 15, False, None, 0.0, 0, reckoned=True)
    assert 0 < first.seconds[0] < first.seconds[1] < first.seconds[2] < 60
    said = line(run, plan_stage(run, CAPTIONS)) or ""
    assert said.startswith("captions: 12 to do, about 15 pictures, about 1 s")
    assert said.endswith(", reckoned: this model was not timed here yet")
    assert line(run, plan_stage(run, BY_NAME["keyframes"])) is None


def test_of_a_server_nothing_is_known_before(tmp_path: Path) -> None:
    run = framed(tmp_path, captions={"model": "seer", "server": "http://127.0.0.1:9/v1"})
    pending(run)
    assert line(run, plan_stage(run, CAPTIONS)) == (
        "captions: 12 to do, about 15 pictures; how long they take is not known until the first shard is done by this "
        "model"
    )


def test_detectors_that_did_not_look_are_added(tmp_path: Path) -> None:
    run = framed(tmp_path)
    ledger.save_run(run.layout, run.record)
    pending(run)
    done(run, 0, 3.0)
    done(run, 1, 6.0)
    looking = framed(tmp_path, captions={"objects": True})
    pending(looking)
    more = found(looking)
    assert more is not None
    assert more.seconds == pytest.approx(tuple(12 * rate + 15 * 0.094 for rate in (1.0, 1.5, 2.0)))
    ledger.save_run(looking.layout, looking.record)
    done(looking, 0, 30.0)
    settings = looking.settings["captions"]
    assert isinstance(settings, CaptionsSettings)
    assert [each.more for each in caption_cost._done_by(looking, settings)] == [0.0, 0.094, 0.094]


def cost_of(run: Run) -> Cost:
    told_of = found(run)
    assert told_of is not None
    return told_of


def test_before_the_corpus_is_cut_it_says_what_to_do(tmp_path: Path) -> None:
    run = framed(tmp_path)
    uncut = replace(plan_stage(run, CAPTIONS), total=None)
    assert "--until ingest, then plan again" in (line(run, uncut) or "")
    assert line(framed(tmp_path, captions={"enabled": False}), uncut) is None


def test_the_time_is_that_of_shards_by_the_same_model(tmp_path: Path) -> None:
    run = framed(tmp_path)
    pending(run)
    done(run, 0, 3.0)
    one = found(run)
    assert one is not None
    assert (one.captions, one.seconds, one.tokens, one.shards) == (9, (6.0, 9.0, 13.5), 5.0, 1)
    done(run, 1, 6.0)
    two = found(run)
    assert two is not None
    assert (two.captions, two.seconds, two.shards) == (6, (6.0, 9.0, 12.0), 2)
    asked = framed(tmp_path, captions={"prompt": "facial-cues"})
    ledger.save_run(asked.layout, asked.record)
    pending(asked)
    same = found(asked)
    assert same is not None
    assert (same.captions, same.seconds, same.shards) == (12, (12.0, 18.0, 24.0), 2), "another prompt, the same model"
    other = framed(tmp_path, captions={"model": "seer", "server": "http://127.0.0.1:9/v1"})
    pending(other)
    strange = found(other)
    assert strange is not None
    assert strange.seconds is None, "another model's time says nothing"


def test_of_ten_shards_the_outer_tenths_do_not_count(tmp_path: Path) -> None:
    run = framed(tmp_path)
    pending(run)
    earlier = framed(tmp_path, captions={"prompt": "facial-cues"})
    ledger.save_run(earlier.layout, earlier.record)
    for shard, seconds in enumerate([60.0, *[3.0 + n for n in range(9)]]):  # the first one loaded the model
        done(earlier, shard, seconds)
    told_of = found(run)
    assert told_of is not None
    assert told_of.seconds == pytest.approx((4 * 4.0, 4 * 7.5, 4 * 11.0))


def test_without_keyframes_the_most_is_told(tmp_path: Path) -> None:
    run = framed(tmp_path, captions={"max_frames": 2})
    pending(run)
    for shard in range(4):
        run.layout.manifest("keyframes", run.key(BY_NAME["keyframes"]), shard).unlink()
    assert replace(cost_of(run), seconds=None) == Cost(12, 24, True, None, 0.0, 0, reckoned=True)


def test_told() -> None:
    said = told(Cost(1153, 2900, False, (540.0, 720.0, 1200.0), 61.4, 24))
    assert said == (
        "captions: 1,153 to do, about 2,900 pictures, about 12 min (9 min to 20 min) by 24 shards that this model did "
        "here (61 tokens each)"
    )
    hours = told(Cost(9989, 30000, True, (60.0, 7200.0, 90000.0), 61.4, 1))
    assert "at most 30,000 pictures, about 2.0 h (60 s to 25.0 h) by 1 shard" in hours
    before = told(Cost(13708, 41124, False, (2520.0, 5760.0, 18000.0), 0.0, 0, reckoned=True, gpu=True))
    assert before == (
        "captions: 13,708 to do, about 41,124 pictures, about 1.6 h of the GPU (42 min to 5.0 h), reckoned: this model "
        "was not timed here yet"
    )


def test_memory_is_of_models_in_the_table() -> None:
    small, large = (memory(CaptionsSettings(model=name)) for name in ("smolvlm2-256m", "Qwen/Qwen3-VL-8B-Instruct"))
    assert small is not None
    assert large is not None
    assert 2 * MODELS["smolvlm2-256m"].parameters < small[0] < large[0]
    assert memory(CaptionsSettings()) is memory(CaptionsSettings(model="org/other")) is None
    assert memory(CaptionsSettings(model="smolvlm2-256m", server="http://127.0.0.1:8000/v1")) is None


@pytest.mark.parametrize("module", ["tasks.caption_cost", "tasks.caption_estimate", "tasks.check_memory"])
def test_telling_needs_no_torch(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'torch', 'transformers', 'prefect', 'cv2'}} & set(sys.modules)))"
    root = Path(__file__).parents[2]
    found: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert found.stdout.strip() == "[]"


def test_a_manifest_holds_what_its_captions_took() -> None:
    from tasks.shard_facts import summed

    facts: dict[str, Any] = {}
    unread: Any = {}
    rows = list(summed(iter(ROWS["captions"]), unread, CAPTIONS, facts))
    assert rows == ROWS["captions"]
    assert facts["totals"] == {"n_tokens": 8, "n_frames": 3}
