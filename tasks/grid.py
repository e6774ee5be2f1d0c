"""A grid of runs: one base configuration, or several, and what its cells set that the base does not."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from model.errors import SettingsError
from tasks.stages import STAGES

Settings = Mapping[str, Any]
"""Dotted names of settings, as `--set` has them, to values."""

LONGEST_NAME = 56
"""Of a run's name; its id adds seven characters, and it is part of a file's name."""

DEV_ONLY: Settings = {"calibrate.enabled": True, "evaluate.enabled": False}
WITH_TEST: Settings = {"calibrate.enabled": True, "evaluate.enabled": True}
SEED = "finetune.seed"


@dataclass(frozen=True, slots=True)
class Base:
    """A configuration that cells start from: what it is called by, and its own name."""

    config: str
    name: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One setting of a grid. ``settings`` are those that it varies; ``common`` hold for every cell.

    ``tuned`` says whether an adapter is trained, so that its seed matters; ``paper`` names a row of the paper's table.
    """

    base: Base
    label: str
    settings: Settings
    common: Settings
    tuned: bool = True
    paper: str | None = None

    @property
    def id(self) -> str:
        """The cell among those of all bases: ``meld/context-2``."""
        return f"{self.base.name}/{self.label}"


@dataclass(frozen=True, slots=True)
class Member:
    """One run of a cell; ``seed`` is None where the base's own is kept. ``overrides`` are `--set`'s of `run`."""

    cell: Cell
    seed: int | None
    name: str
    overrides: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    """``against`` is the label of the cell that the others are compared with, base by base. ``paper`` names a table.

    ``same`` names cells that were left out, each with the one that it is the same as in all that plays a part.
    """

    name: str
    source: str
    workspace: str
    cells: tuple[Cell, ...]
    seeds: tuple[int, ...] = ()
    against: str = ""
    paper: str | None = None
    same: tuple[tuple[str, str], ...] = ()

    def members(self, cells: Sequence[Cell], *, test: bool = False) -> list[Member]:
        """The runs of these cells, one a seed where something is trained; with ``test`` they read the test split."""
        return [
            self._member(cell, seed, WITH_TEST if test else DEV_ONLY)
            for cell in cells
            for seed in (self.seeds if cell.tuned and self.seeds else (None,))
        ]

    def _member(self, cell: Cell, seed: int | None, splits: Settings) -> Member:
        several = len({one.base.name for one in self.cells}) > 1
        parts = [self.name, *([cell.base.name] if several else []), cell.label]
        name = run_name(".".join([*parts, *([f"seed-{seed}"] if seed is not None else [])]))
        values = {**cell.common, **cell.settings, **splits, **({} if seed is None else {SEED: seed}), "name": name}
        return Member(cell, seed, name, tuple(f"{key}={literal(value)}" for key, value in values.items()))


def flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested tables by dotted name; a list is a leaf."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def size(axes: Mapping[str, Sequence[Any]]) -> int:
    """How many cells the product of the axes has; 0 without any."""
    return math.prod(map(len, axes.values())) if axes else 0


def product(axes: Mapping[str, Sequence[Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(label, settings) of every cell of the axes' product, the last axis fastest."""
    names = short_names(list(axes))
    for values in itertools.product(*axes.values()) if axes else ():
        settings = dict(zip(axes, values, strict=True))
        yield ".".join(f"{names[key]}-{_shown(value)}" for key, value in settings.items()), settings


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """What an axis is called in a label: the last part of its name where that is enough, ``finetune.enabled`` is
    ``finetune``."""
    short = {key: key.removesuffix(".enabled").rpartition(".")[2] for key in keys}
    return {key: name if [*short.values()].count(name) == 1 else key.replace(".", "-") for key, name in short.items()}


def _shown(value: Any) -> str:
    text = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
    return "".join(char if char.isascii() and (char.isalnum() or char in "_.-") else "-" for char in text)


def run_name(text: str) -> str:
    """The name of a run: ``text``, or where that is too long its beginning and a digest."""
    if len(text) <= LONGEST_NAME:
        return text
    return f"{text[: LONGEST_NAME - 7]}-{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def literal(value: Any) -> str:
    """A value as TOML in one line. Raises SettingsError where TOML cannot hold it."""
    text = _literal(value)
    try:
        same = tomllib.loads(f"value = {text}")["value"] == value
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise SettingsError(f"{value!r} cannot be a value of a grid: take a number, text, true, false or a list")
    return text


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(key), ensure_ascii=False)} = {_literal(one)}" for key, one in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def fault_of_key(key: str) -> str | None:
    """What is wrong with a setting's name, with the nearest one that there is; None where there is such a setting."""
    if key == SEED or key == "seed":
        return f"{key}: seeds of training are written seeds = [1, 2, 3] at the top, and become mean and deviation"
    if key in ("name", *DEV_ONLY):
        return f"{key}: is the grid's own; docs/ablation.md says which splits are scored"
    known = ["model", *(f"{stage.name}.{field}" for stage in STAGES for field in stage.settings.model_fields)]
    if ".".join(key.split(".")[:2]) in known:
        return None
    near = get_close_matches(key, known, 1, 0.5) or [name for name in known if name.endswith(f".{key}")]
    return f"{key}: no such setting" + (
        f"; {near[0]}?" if near else f"; stages are {', '.join(s.name for s in STAGES)}"
    )
