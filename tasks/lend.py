"""What a host does that has not the run: it computes for the one that trains."""

from __future__ import annotations

from collections.abc import Callable

from model import training_hosts
from tasks.finetune_settings import FinetuneSettings
from tasks.hosts import hosts_of
from tasks.plan import Run, plan_stage
from tasks.stages import BY_NAME


def lends(settings: object) -> bool:
    """Whether this host only lends its processes to the training of another."""
    hosts = hosts_of(settings, "") if isinstance(settings, FinetuneSettings) else None
    return hosts is not None and hosts.rank > 0


def lend(run: Run, report: Callable[[str], None]) -> str:
    """Computes for host 0 until its training is over; what there is to say of that. Raises TrainingError."""
    stage = BY_NAME["finetune"]
    settings = run.settings[stage.name]
    assert isinstance(settings, FinetuneSettings)
    hosts = hosts_of(settings, run.key(stage))
    assert hosts is not None
    used = training_hosts.lend(hosts, run.layout.cache, lambda: not plan_stage(run, stage).pending, report)
    return f"{run.run_id}: " + ("training is over, host 0 goes on" if used else "finetune is done, nothing to lend")
