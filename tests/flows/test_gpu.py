from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextvars import copy_context

import pytest
from prefect_server import Server, as_client

from tasks.stages import BY_NAME


@pytest.fixture
def card(prefect_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with as_client(prefect_server):
        monkeypatch.setattr("flows.gpu.has_card", lambda: True)
        yield prefect_server


def test_captioning_and_training_take_turns(card: Server) -> None:
    from prefect.client.orchestration import get_client

    from flows.gpu import one_at_a_time

    assert card
    inside, most = [], []

    def work(stage: str) -> None:
        with one_at_a_time(BY_NAME[stage], "gpu-of-a-test"):
            inside.append(stage)
            most.append(len(inside))
            time.sleep(0.5)
            inside.remove(stage)

    threads = [
        threading.Thread(target=copy_context().run, args=(work, stage))
        for stage in ("captions", "finetune", "evaluate")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1, 1]
    with get_client(sync_client=True) as client:
        assert client.read_global_concurrency_limit_by_name("gpu-of-a-test").limit == 1


def test_no_card_no_name_or_another_stage_wait_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import gpu

    monkeypatch.setattr(gpu, "_make", lambda _limit: pytest.fail("asked the server"))
    monkeypatch.setattr(gpu, "has_card", lambda: True)
    for stage, limit in (("ingest", "gpu"), ("captions", "")):
        with gpu.one_at_a_time(BY_NAME[stage], limit):
            pass
    monkeypatch.setattr(gpu, "has_card", lambda: False)
    with gpu.one_at_a_time(BY_NAME["captions"], "gpu"):
        pass


def test_a_card_is_known_by_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import gpu

    monkeypatch.setattr(gpu, "DEVICES", ("/nonexistent", "/dev/null"))
    assert gpu.has_card()
    monkeypatch.setattr(gpu, "DEVICES", ("/nonexistent",))
    assert not gpu.has_card()
