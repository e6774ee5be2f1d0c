"""A small corpus of text, a configuration over it and a grid of it, for tests of what reads and runs grids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.direct import execute
from flows.grid import read_grid
from flows.settings import prepare
from tasks.drive import Selection, drive
from tasks.grid import Grid, Member
from tasks.plan import Run

HEADER = "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
LABELS = ("neutral", "joy", "surprise", "anger", "sadness", "fear", "disgust")

GRID = """
name = "tiny-grid"
base = "small.toml"
seeds = [1, 2]
against = "context-0"

[settings]
finetune.max_steps = 2

[grid]
instructions.context = [0, 1]

[[case]]
name = "untuned"
finetune.enabled = false
instructions.context = 1
"""


def write(folder: Path, model: Path | str, grid: str = GRID) -> Path:
    """Writes the three splits, small.toml and the grid, whose path is returned; paths are relative to ``folder``."""
    for split in ("train", "dev", "test"):
        lines = [
            f"{split} says {label} {dialogue}.,Ana,{label},neutral,{dialogue},{turn}\n"
            for dialogue in range(3)
            for turn, label in enumerate(LABELS)
        ]
        (folder / f"{split}_sent_emo.csv").write_text(HEADER + "".join(lines))
    (folder / "small.toml").write_text(
        f'name = "small"\nmodel = {str(model)!r}\n[ingest]\ncorpus = "meld"\nfolder = "."\n[score]\nresamples = 1000\n'
        "[evaluate]\nuntuned = false\n[report]\nexamples = 0\n"
    )
    path = folder / "tiny-grid.toml"
    path.write_text(grid)
    return path


def grid_of(path: Path, text: str, *overrides: str, **options: Any) -> Grid:
    """The grid of a text, written to ``path`` first."""
    path.write_text(text)
    return read_grid(str(path), overrides, **options)


def runs_of(members: Sequence[Member], root: Path) -> list[Run]:
    """The runs of these members, nothing done."""
    return [prepare(one.cell.base.config, workspace=root, overrides=one.overrides) for one in members]


def directly(member: Member, run: Run, reason: str) -> int:  # noqa: ARG001
    """Does a run in this process."""
    return drive(run, Selection(reason=reason), execute, engine="direct").shards
