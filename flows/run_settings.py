"""The table ``[run]`` of a configuration: where its shards are worked on. No result depends on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from tasks.stages import BY_NAME


class Hints(BaseModel):
    """What one shard of a stage needs of the machine that works on it; a cluster places it by these."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    cpus: float = Field(default=1.0, gt=0, le=1024)
    """Processors."""
    memory_mb: int = Field(default=0, ge=0, le=100_000_000)
    """Megabytes of memory; 0: not said."""


class RunSettings(BaseModel):
    """Where shards are worked on. It is in no key: a run begun here may be finished elsewhere."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    runner: Literal["threads", "processes", "dask", "ray"] = "threads"
    """threads and processes of this machine; a Dask or a Ray cluster, of this machine unless ``address`` names one."""
    workers: int = Field(default=1, ge=1, le=10_000)
    """Shards at a time. Of a cluster with an address: how many are handed to it at a time."""
    address: str = ""
    """Of a running cluster: tcp://scheduler:8786 for Dask, ray://head:10001 or auto for Ray."""
    gpu_limit: str = "gpu"
    """The concurrency limit of Prefect's that a shard takes where a stage uses a card; empty: none."""
    hints: Mapping[str, Hints] = {}
    """By stage: cpus and memory_mb of one shard."""

    @field_validator("hints")
    @classmethod
    def _of_stages(cls, hints: Mapping[str, Hints]) -> Mapping[str, Hints]:
        if unknown := [name for name in hints if name not in BY_NAME]:
            raise ValueError(f"no stage is called {', '.join(unknown)}: the stages are {', '.join(BY_NAME)}")
        return hints

    def hint(self, stage: str) -> Hints:
        return self.hints.get(stage, Hints())


def faults(values: Any) -> list[str]:
    """What is wrong with a table ``[run]``, each with its key and what is allowed."""
    if not isinstance(values, Mapping):
        return ["run: must be a table, written [run]"]
    try:
        found = RunSettings.model_validate(values)
    except ValidationError as error:
        return [_explain(item) for item in error.errors()]
    if found.address and found.runner not in ("dask", "ray"):
        return [f"run.address: {found.runner} run on this machine; set run.runner to dask or ray, or leave it out"]
    return []


def _explain(item: Any) -> str:
    key = ".".join(["run", *map(str, item["loc"])])
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown; allowed are {', '.join(RunSettings.model_fields)}"
    return f"{key}: {item['msg']} (found {item['input']!r})"
