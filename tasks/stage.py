"""The contract that every stage keeps: typed rows in, typed rows or ``Rejected`` out, no orchestrator inside.

A stage is a plain generator ``run(rows, settings, context)``. Same rows, settings, weights and seed: same result.
Where a row is so little work that objects would cost more, it may read ``columns`` and yield ``Columns`` of many rows.
What it may touch besides its rows is in ``Context``. One file a stage, each exporting one ``STAGE``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

Rows = Mapping[str, Sequence[Any]]
"""Table name to the rows of the shard being worked on, in the order of the dialogue (turn, then rank)."""


SECRET = "secret"
"""Type of a setting's fault whose value may hold a password: it is told without the value."""


@runtime_checkable
class ByColumn(Protocol):
    """Rows that are stored by column."""

    def columns(self, table: str, names: Sequence[str]) -> list[list[Any]]: ...


Progress = Callable[[int, int, str], None]
"""Called as ``progress(done, total, what)`` now and then; counts are in units that ``what`` names."""


def columns(rows: Rows, table: str, *names: str) -> list[list[Any]]:
    """Some columns of a table, each a list with a cell for every row: read as such where they are stored so."""
    if isinstance(rows, ByColumn):
        return rows.columns(table, names)
    return [[getattr(row, name) for row in rows[table]] for name in names]


def no_progress(done: int, total: int, what: str) -> None:
    pass


class StageSettings(BaseModel):
    """Base of each stage's settings: unknown keys refused, a docstring under each field becomes its help."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset()
    """Fields that cannot change a result (worker counts, batch sizes, folders) and stay out of the stage key."""

    max_rejects: float = Field(default=0.05, ge=0, le=1)
    """Share of utterances that may be rejected (0 to 1) before the stage fails; not part of the key."""

    hang_after_s: float = Field(default=3600.0, gt=0)
    """Seconds without a sign of progress after which a stage that holds a model, and so has a process of its own under
    Prefect, is taken for hung and ended; not part of the key."""

    def key_fields(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON values."""
        return self.model_dump(mode="json", exclude={*self.NOT_IN_KEY, "max_rejects", "hang_after_s"})


@dataclass(frozen=True, slots=True)
class Context:
    """What a stage may use besides its rows.

    ``cache`` is the workspace's folder for things that can be made again (converted weights, the demo corpus).
    ``folder`` is the stage's own folder (``models/<stage key>``); ``folders`` holds those of the stages it
    depends on, by stage name. ``videos`` is the root of the shard's corpus's video files, None for text-only corpora.
    ``seed`` is the stage's ``seed`` setting, ``about`` the record of the run (id, settings, keys, versions).
    """

    cache: Path
    folder: Path
    folders: Mapping[str, Path] = field(default_factory=dict)
    videos: Path | None = None
    seed: int = 0
    shard: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)
    progress: Progress = no_progress


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the pipeline.

    ``reads`` and ``writes`` name tables; ``row`` is the dataclass it yields, one by one or as ``Columns`` of many. A
    ``unit`` stage runs once over all rows, any other once per shard. ``splits`` are the only splits whose rows it is
    ever handed: a stage that learns lists train and dev, so that it cannot see a test row. With ``videos`` it is never
    handed a shard of a corpus that comes without video files. With ``examples`` every shard may also read
    ``rows["examples"]``: the same few shards of its corpus's train utterances for all, drawn by the stage's seed.
    ``identity`` returns whatever else decides the result and must be in the key (weights' pins, digests of source
    files). ``after`` names stages whose folder it needs. ``totals`` are columns of its rows whose sums a shard's
    manifest keeps. ``apart``: under Prefect its shards are done in a process of its own (tasks/apart.py), which a stage
    that ends its own hanging processes does not need.
    """

    name: str
    version: int
    writes: str
    row: type
    settings: type[StageSettings]
    run: Callable[[Rows, Any, Context], Iterator[Any]]
    reads: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    totals: tuple[str, ...] = ()
    splits: frozenset[str] = frozenset({"train", "dev", "test"})
    unit: bool = False
    videos: bool = False
    examples: bool = False
    identity: Callable[[Any], Mapping[str, str]] = lambda _settings: {}
    gpu: bool = False
    apart: bool = False
