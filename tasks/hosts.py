"""Training on several hosts: how many there are, and which this is."""

from __future__ import annotations

import os
from collections.abc import Mapping

from model.errors import SettingsError
from model.training_hosts import Hosts
from tasks.finetune_settings import FinetuneSettings

RANKS = ("NODE_RANK", "SLURM_NODEID")
"""Variables of the environment that may say which host this is; the first that is set counts."""


def hosts_of(settings: FinetuneSettings, run: str, environment: Mapping[str, str] = os.environ) -> Hosts | None:
    """The hosts of a run, None where it has only one. Raises SettingsError where this host has no number among them."""
    if settings.hosts == 1 or settings.rendezvous is None or not settings.enabled:
        return None
    name = next((name for name in RANKS if name in environment), None)
    if name is None:
        raise SettingsError(
            f"finetune.hosts = {settings.hosts}: say which of them this is, NODE_RANK=0 where the run is to be, "
            f"1 to {settings.hosts - 1} on the others"
        )
    rank = environment[name]
    if not rank.isdecimal() or int(rank) >= settings.hosts:
        raise SettingsError(f"{name}={rank}: must be 0 to {settings.hosts - 1}, for finetune.hosts = {settings.hosts}")
    return Hosts(settings.hosts, settings.processes, settings.rendezvous, int(rank), settings.host_timeout, run)
