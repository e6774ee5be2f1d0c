"""Does the runs of a grid one after another: one that fails does not stop the others, and none does work twice."""

from __future__ import annotations

import errno
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from flows.grid import MOST
from flows.guard import guard
from flows.output import counted
from flows.server_keys import block_of
from flows.settings import prepare
from model.errors import DialogueError, RunFailed, SettingsError, WorkspaceLocked
from storage import ablations, warehouse
from storage.layout import Layout, open_workspace
from storage.ledger import Record
from storage.locks import holding
from tasks import ablation, ablation_page
from tasks.grid import Cell, Grid, Member
from tasks.plan import Run, plan_stage

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
Do = Callable[[Member, Run, str], int]
"""Does what is pending of a run, for a reason, and returns the shards that it did."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A run of the grid that did not end; ``again`` is the line that takes it up."""

    name: str
    error: str
    again: str
    exit_code: int = 1


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a grid: cells by pattern (all without any), and whose test split is read afterwards.

    ``dev`` is False where nothing is chosen, so that test is read at once.
    """

    config: str
    only: tuple[str, ...] = ()
    test: str | None = None
    dev: bool = True
    yes: bool = False
    check: bool = True
    overrides: tuple[str, ...] = ()

    def typed(self, member: Member) -> str:
        """The command that does one cell again."""
        sets = [word for override in self.overrides for word in ("--set", override)]
        test = ["--test", self.test] if self.test else []
        return shlex.join(["ablation", self.config, "--only", member.cell.id, *test, *sets])


@dataclass(slots=True)
class Finished:
    """What became of a grid."""

    record: Record
    page: Path
    shards: int = 0
    failed: list[Failed] = field(default_factory=list)

    def message(self) -> str:
        """What failed and how it is taken up again, the reason of several at once but once."""
        lines = [f"{self.record['ablation']}: {counted(len(self.failed), 'run')} failed, the others are done"]
        for error in dict.fromkeys(one.error for one in self.failed):
            lines.append(f"  {error}")
            lines += [f"    {one.name}: {one.again}" for one in self.failed if one.error == error]
        return "\n".join(lines)

    def stop(self) -> None:
        """Raises RunFailed where a run failed; its exit code is 3 where all of them were too many rejects."""
        if self.failed:
            raise RunFailed(self.message(), 3 if all(one.exit_code == 3 for one in self.failed) else 1)


def chosen(grid: Grid, only: Sequence[str]) -> list[Cell]:
    """The cells whose name, with or without their base's, one of the patterns matches. Raises SettingsError if none."""
    if not only:
        return [*grid.cells]
    found = [
        cell
        for cell in grid.cells
        if any(fnmatchcase(name, pattern) for pattern in only for name in (cell.id, cell.label, cell.base.name))
    ]
    if not found:
        known = ", ".join(cell.id for cell in grid.cells[:12])
        raise SettingsError(f"--only {' '.join(only)}: no cell is called so; there is {known}")
    return found


def resolved(members: Sequence[Member], root: Path) -> tuple[list[Run], list[tuple[Member, DialogueError]]]:
    """The runs of these members, and those that cannot be told, each with its error. Makes no workspace."""
    runs, lost = [], []
    for member in members:
        try:
            runs.append(prepare(member.cell.base.config, workspace=root, overrides=member.overrides, create=False))
        except DialogueError as error:
            lost.append((member, error))
    return runs, lost


def run_grid(grid: Grid, root: Path, wanted: Wanted, do: Do, say: Callable[[str], None]) -> Finished:
    """Runs what is wanted of a grid, under its lock. Raises SettingsError where there is no such part."""
    cells = chosen(grid, wanted.only)
    members = grid.members(cells)
    if len(members) > MOST and not wanted.yes:
        raise SettingsError(f"{grid.name} is {len(members):,} runs, more than {MOST}: --yes, or --only PATTERN")
    layout = open_workspace(root, create=True)
    with holding(layout, f"_ablation-{grid.name}"):
        record = ablation.begin(layout, grid, dev=wanted.dev)
        finished = Finished(record, layout.ablation(grid.name) / "index.html")
        ablations.save(layout, record)
        walk = _Walk(layout, wanted, record, finished, do, say)
        if wanted.dev:
            walk.through(members, test=False)
        if wanted.test:
            labels = {cell.id for cell in ablation.to_test(record, grid, wanted.test)}
            read = [cell for cell in cells if cell.id in labels]
            say(f"test is read for {', '.join(cell.id for cell in read)}")
            walk.through(grid.members(read, test=True), test=True)
        ablation.count(record, resolved(grid.members(grid.cells), root)[0] if wanted.dev else [])
        ablation.refresh(layout, record)
        warehouse.publish(layout, [])
        ablation_page.write(layout, record)
    return finished


@dataclass(slots=True)
class _Walk:
    """One way through the members of a grid. ``broken`` are results that failed, by key, with what was said of it."""

    layout: Layout
    wanted: Wanted
    record: Record
    finished: Finished
    do: Do
    say: Callable[[str], None]
    broken: dict[str, str] = field(default_factory=dict)
    looked_at: set[str] = field(default_factory=set)

    def through(self, members: Sequence[Member], *, test: bool) -> None:
        for number, member in enumerate(members, start=1):
            self.say(f"{number} of {len(members)}: {member.name}")
            at = ablation.place(member, test=test)
            run: Run | None = None
            try:
                run = prepare(member.cell.base.config, workspace=Path(self.layout.name), overrides=member.overrides)
                self._look(member, run)
                self.finished.shards += self.do(member, run, self._reason(test))
            except Exception as error:
                if isinstance(error, OSError) and error.errno in FULL_DISK:
                    raise  # every other run would end as this one
                failed = self._failed(member, run, error)
                self.finished.failed.append(failed)
                self.say(f"failed: {failed.error}")
                ablation.note(self.record, at, run.run_id if run else None, "failed", failed.error, failed.again)
            else:
                ablation.note(self.record, at, run.run_id, "done")
            ablation.refresh(self.layout, self.record)

    def _look(self, member: Member, run: Run) -> None:
        """Raises RunFailed where a result that the run needs has failed already, or the input forbids the run."""
        for key in run.keys.values():
            if key in self.broken:
                raise RunFailed(self.broken[key])
        corpus = str(run.keys["ingest"])
        keys_are_blocks = any(map(block_of, run.settings.values()))  # the flow of the run looks, with the keys
        if self.wanted.check and corpus not in self.looked_at and not keys_are_blocks:
            try:
                lesser = guard(member.cell.base.config, Path(self.layout.name), member.overrides)
            except RunFailed as error:
                self.broken[corpus] = str(error)
                raise
            if lesser:
                self.say(lesser)
        self.looked_at.add(corpus)

    def _failed(self, member: Member, run: Run | None, error: Exception) -> Failed:
        known = isinstance(error, DialogueError | OSError)
        text = str(error).partition("\n  again: ")[0] if known else f"{type(error).__name__}: {error}"
        again = f"dialoguellm {self.wanted.typed(member)} -w {shlex.quote(self.layout.name)}"
        if run is not None:
            again = run.typed(self.wanted.typed(member))
            if self.layout.run_file(run.run_id).exists():
                again = run.typed(f"rerun {run.run_id} --failed")
            if not isinstance(error, WorkspaceLocked) and (key := _unfinished(run)):
                self.broken.setdefault(key, text)
        return Failed(member.name, text, again, error.exit_code if isinstance(error, RunFailed) else 1)

    def _reason(self, test: bool) -> str:
        return f"ablation {self.record['ablation']}" + (f" --test {self.wanted.test}" if test else "")


def _unfinished(run: Run) -> str | None:
    """The key of the first stage that has something to do: what failed, so that the others need not try it again."""
    return next((run.keys[stage.name] for stage in run.stages() if plan_stage(run, stage).pending), None)
