from __future__ import annotations

import pytest

from model.errors import SettingsError
from tasks.finetune_settings import FinetuneSettings
from tasks.hosts import hosts_of

TWO = FinetuneSettings(hosts=2, rendezvous="10.0.0.1:29500", processes=3, host_timeout=9)


def test_which_host_this_is_stands_in_the_environment() -> None:
    found = hosts_of(TWO, "key", {"SLURM_NODEID": "0", "NODE_RANK": "1"})
    assert found is not None
    assert (found.number, found.processes, found.meet, found.rank) == (2, 3, "10.0.0.1:29500", 1)
    assert (found.waiting_s, found.run) == (9, "key")
    slurm = hosts_of(TWO, "key", {"SLURM_NODEID": "0"})
    assert slurm is not None
    assert slurm.rank == 0


def test_one_host_needs_no_number() -> None:
    assert hosts_of(FinetuneSettings(), "key", {"NODE_RANK": "7"}) is None
    assert hosts_of(TWO.model_copy(update={"enabled": False}), "key", {}) is None


def test_a_host_without_a_number_is_told_what_to_set() -> None:
    with pytest.raises(SettingsError, match=r"finetune.hosts = 2: say which of them this is, NODE_RANK=0 .* 1 to 1 on"):
        hosts_of(TWO, "key", {})


@pytest.mark.parametrize("rank", ["2", "-1", "one", ""])
def test_a_number_that_no_host_has(rank: str) -> None:
    with pytest.raises(SettingsError, match=f"NODE_RANK={rank}: must be 0 to 1, for finetune.hosts = 2"):
        hosts_of(TWO, "key", {"NODE_RANK": rank})
