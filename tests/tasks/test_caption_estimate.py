from __future__ import annotations

import pytest

from model.caption_time import Speed
from tasks import caption_estimate
from tasks.caption_estimate import UNSURE, UNSURE_GPU, reckoned
from tasks.captions import CaptionsSettings

SMALL = "smolvlm2-256m"


@pytest.fixture(autouse=True)
def speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_estimate, "_speed", lambda: Speed(2e11, 2e10))


def test_the_range_is_that_of_what_may_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    found, gpu = reckoned(CaptionsSettings(model=SMALL, processes=1), 100, 200)
    assert found is not None
    low, likely, high = found
    assert not gpu
    assert low < likely / UNSURE < likely * UNSURE < high
    twice, _ = reckoned(CaptionsSettings(model=SMALL, processes=1), 200, 400)
    assert twice == pytest.approx((2 * low, 2 * likely, 2 * high))
    monkeypatch.setattr(caption_estimate, "_speed", lambda: Speed(6e14, 3e12, gpu=True))
    faster, gpu = reckoned(CaptionsSettings(model=SMALL, processes=1), 100, 200)
    assert gpu
    assert faster is not None
    assert faster[1] < likely / 5
    assert faster[2] / faster[1] >= UNSURE_GPU, "of a GPU less is known"


def test_what_writes_less_takes_less() -> None:
    few, many = (reckoned(CaptionsSettings(model=SMALL, max_new_tokens=limit), 9, 18)[0] for limit in (40, 400))
    assert few is not None
    assert many is not None
    assert few < many


def test_detectors_take_their_time() -> None:
    plain, _ = reckoned(CaptionsSettings(), 100, 200)
    looked, _ = reckoned(CaptionsSettings(objects=True, people=True), 100, 200)
    assert plain is not None
    assert looked is not None
    assert looked[1] - plain[1] == pytest.approx(200 * 0.110)


def test_facts_alone_take_what_their_detectors_take() -> None:
    assert reckoned(CaptionsSettings(model="cues"), 100, 200) == ((0, 0, 0), False)
    found, _ = reckoned(CaptionsSettings(model="cues", people=True), 100, 200)
    assert found == pytest.approx((3.2 / UNSURE, 3.2, 3.2 * UNSURE))


def test_servers_and_other_models_are_not_reckoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_estimate, "_speed", lambda: pytest.fail("nothing is to be measured for them"))
    assert reckoned(CaptionsSettings(model="org/other"), 1, 1) == (None, False)
    assert reckoned(CaptionsSettings(model=SMALL, server="http://127.0.0.1:9/v1"), 1, 1) == (None, False)


def test_a_plan_does_not_fail_for_a_gpu_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def full() -> Speed:
        raise RuntimeError("CUDA out of memory")

    monkeypatch.setattr(caption_estimate, "_speed", full)
    assert reckoned(CaptionsSettings(model=SMALL), 1, 1) == (None, False)
