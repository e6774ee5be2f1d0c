"""From a grid's TOML file to its cells, each checked as a configuration of its own; shows every fault at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

from flows.grid_faults import Faults, check, own
from flows.settings import read, shipped
from model import toml_text
from model.errors import SettingsError
from tasks import paper_results
from tasks.grid import Base, Cell, Grid, Settings, flatten, literal, product, size
from tasks.stage import StageSettings
from tasks.stages import BY_NAME, STAGES

MOST = 200
"""Runs that need no --yes."""
EVER = 20_000
"""Runs that a grid may have at all."""


def shipped_grids() -> dict[str, str]:
    """The grids that come with the program: name to TOML text."""
    found = files("configs").joinpath("ablation").iterdir()
    return {item.name.removesuffix(".toml"): item.read_text("utf-8") for item in found if item.name.endswith(".toml")}


def is_grid(config: str) -> bool:
    """Whether ``config`` names a grid: a file that has a base, or a shipped one."""
    if not Path(config).is_file():
        return config in shipped_grids() and config not in shipped()
    try:
        return "base" in toml_text.loads(toml_text.read(Path(config)), config)
    except (OSError, ValueError, SettingsError):
        return False


def read_grid(config: str, overrides: Sequence[str] = (), *, yes: bool = False) -> Grid:
    """The grid of a file or of a shipped one; ``overrides`` hold for every cell. Raises SettingsError.

    Looks at nothing that its settings name. More than ``MOST`` runs need ``yes``.
    """
    values, source = _load(config)
    faults = Faults()
    check(values, faults)
    faults.stop(source)
    bases = [values["base"]] if isinstance(values["base"], str) else values["base"]
    axes = dict(flatten(values.get("grid", {})))
    number = (size(axes) + len(values.get("case", ())) or 1) * len(bases) * max(1, len(values.get("seeds", ())))
    if number > EVER or (number > MOST and not yes):
        ask = "cut it down" if number > EVER else "--yes begins all the same, --only PATTERN takes a part of it"
        raise SettingsError(f"{source} is a grid of {number:,} runs, more than {EVER if yes else MOST:,}: {ask}")
    return _grid(values, source, bases, overrides, faults)


def of_seeds(config: str, seeds: Sequence[int], overrides: Sequence[str] = ()) -> Grid:
    """A configuration with several seeds of training, as a grid of one cell."""
    faults = Faults()
    check({"name": "seeds", "base": config, "seeds": [*seeds]}, faults)
    faults.stop("--seeds")
    values, settings, source = read(config, overrides)
    base = Base(config, values["name"])
    cell = Cell(base, "seeds", {}, dict(map(_override, overrides)), _tuned(settings))
    if not cell.tuned:
        raise SettingsError(f"{source}: finetune is off, so that no seed of training plays a part")
    if fault := _several_hosts(settings):
        raise SettingsError(f"{source}: {fault}")
    return Grid(f"{values['name']}.seeds", source, values.get("workspace", "workspace"), (cell,), tuple(seeds), "seeds")


def _load(config: str) -> tuple[dict[str, Any], str]:
    path, known = Path(config), shipped_grids()
    if path.is_file():
        try:
            text, source = toml_text.read(path), str(path.resolve())
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{config} cannot be read: {error}") from error
    elif config in known:
        text, source = known[config], config
    elif config in shipped():
        raise SettingsError(_plain(config, config))
    else:
        raise SettingsError(f"no grid {config!r}: give the path of a TOML file or one of {', '.join(sorted(known))}")
    values = toml_text.loads(text, source)
    if "base" not in values and (not values or {*values} & {*BY_NAME, "model", "seed"}):
        raise SettingsError(_plain(source, config))
    return values, source


def _plain(source: str, config: str) -> str:
    return (
        f'{source} is the configuration of one run, not a grid: a grid has base = "{config}" and a table [grid] '
        f"or [[case]]s (docs/ablation.md); `dialoguellm run {config} --seeds 1,2,3` is one run with several seeds"
    )


def _grid(values: dict[str, Any], source: str, configs: list[str], overrides: Sequence[str], faults: Faults) -> Grid:
    common = {**dict(flatten(values.get("settings", {}))), **dict(map(_override, overrides))}
    bases, homes = [], []
    for config in configs:
        found = read(config)[0]
        bases.append(Base(config, found["name"]))
        homes.append(found.get("workspace", "workspace"))
    if len({base.name for base in bases}) < len(bases):
        faults.add(f"base: two configurations have the same name ({', '.join(base.name for base in bases)})")
    cells = list(_cells(values, bases, common, faults))
    varied = {key for cell in cells for key in cell.settings}
    faults.add(
        *(f"--set {key}: cells of the grid set it themselves; --only takes some of them"
          for key in dict(map(_override, overrides)) if key in varied)
    )  # fmt: skip
    cells, same = _checked(cells, faults)
    against = values.get("against") or (cells[0].label if cells else "")
    labels = list(dict.fromkeys(cell.label for cell in cells))
    if cells and against not in labels:
        near = get_close_matches(against, labels, 1) or labels[:8]
        faults.add(f"against: no cell is called {against}; {', '.join(near)}?")
    paper = _with_paper(values.get("paper", {}), cells, faults)
    faults.stop(source)
    workspace = values.get("workspace", homes[0])
    seeds = tuple(values.get("seeds", ()))
    return Grid(
        values["name"], source, workspace, tuple(paper), seeds, against, values.get("paper", {}).get("table"), same
    )


def _cells(values: Mapping[str, Any], bases: Sequence[Base], common: Settings, faults: Faults) -> Iterator[Cell]:
    axes, cases = dict(flatten(values.get("grid", {}))), values.get("case", [])
    names = [base.name for base in bases]
    for case in cases:
        for unknown in (one for one in case.get("only", ()) if one not in names):
            faults.add(f"case {case['name']}: only: no base is called {unknown}; there is {', '.join(names)}")
    for base in bases:
        if not axes and not cases:
            yield Cell(base, "seeds", {}, common)
        for label, settings in product(axes):
            yield Cell(base, label, settings, common)
        for case in cases:
            if base.name in case.get("only", names):
                yield Cell(base, case["name"], dict(flatten(own(case))), common, paper=case.get("paper"))


def _checked(cells: Sequence[Cell], faults: Faults) -> tuple[list[Cell], tuple[tuple[str, str], ...]]:
    """The cells that are runs of their own. What is written twice is a fault; what merely comes to the same is left
    out, such as the epochs of a model that is not tuned."""
    kept: dict[str, Cell] = {}
    written: dict[str, str] = {}
    labels: set[str] = set()
    same: list[tuple[str, str]] = []
    for cell in cells:
        if cell.id in labels:
            faults.add(f"two cells are called {cell.id}: each value once an axis, each name once")
            continue
        labels.add(cell.id)
        told = json.dumps([cell.base.name, cell.settings], sort_keys=True, default=str)
        if told in written:
            faults.add(f"{cell.id} and {written[told]} are the same cell: leave one out")
            continue
        written[told] = cell.id
        try:
            pairs = {**cell.common, **cell.settings}.items()
            settings = read(cell.base.config, [f"{key}={literal(value)}" for key, value in pairs])[1]
        except SettingsError as error:
            lines = str(error).splitlines()
            faults.add(*(f"{cell.label}: {line.strip()}" for line in lines[1:] or lines))
            continue
        if fault := _several_hosts(settings):
            faults.add(f"{cell.label}: {fault}")
            continue
        sign = _sign(cell.base.name, settings)
        if sign in kept:
            same.append((cell.id, kept[sign].id))
            continue
        kept[sign] = replace(cell, tuned=_tuned(settings))
    return list(kept.values()), tuple(same)


def _sign(base: str, settings: Mapping[str, StageSettings]) -> str:
    """What decides the results of a cell; another model is one too, though its name is in no key."""
    found: list[Any] = [base]
    for stage in STAGES:
        values = settings[stage.name]
        if getattr(values, "enabled", True) or stage.name == "evaluate":
            every = values.model_dump(mode="json")
            found.append([values.key_fields(), every.get("model"), every.get("server")])
        else:
            found.append(None)
    return json.dumps(found, sort_keys=True, default=str)


def _several_hosts(settings: Mapping[str, StageSettings]) -> str | None:
    """What is wrong with a cell that other hosts are to lend to: they would have to know which of its runs is on."""
    hosts = getattr(settings["finetune"], "hosts", 1)
    if hosts == 1 or not _tuned(settings):
        return None
    return (
        f"finetune.hosts = {hosts}: the runs of a grid, and those of --seeds, train on one host; take it out, or give "
        "each run by itself on every host: `dialoguellm run CONFIG --set name=… --set finetune.seed=…`"
    )


def _tuned(settings: Mapping[str, StageSettings]) -> bool:
    return bool(getattr(settings["finetune"], "enabled", True))


def _with_paper(paper: Mapping[str, Any], cells: Sequence[Cell], faults: Faults) -> list[Cell]:
    """The cells with the paper's rows that they stand beside."""
    table, rows = paper.get("table"), paper.get("rows", {})
    if not table:
        if paper or any(cell.paper for cell in cells):
            faults.add("paper.table: needed, the name of one of the paper's tables")
        return [*cells]
    known = paper_results.rows(table)
    if known is None:
        faults.add(f"paper.table: no numbers of {table!r}; there is {', '.join(paper_results.tables())}")
        return [*cells]
    labels = [cell.label for cell in cells]
    faults.add(*(f"paper.rows: no cell is called {label}" for label in rows if label not in labels))
    found = [replace(cell, paper=rows.get(cell.label, cell.paper)) for cell in cells]
    wrong = {cell.paper for cell in found if cell.paper and cell.paper not in known}
    faults.add(*(f"paper: {table} has no row {row!r}; it has {', '.join(known)}" for row in sorted(wrong)))
    return found


def _override(text: str) -> tuple[str, Any]:
    """One --set as a pair; the value is TOML, or else plain text, as everywhere."""
    key, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--set {text}: write it as key=value, for example captions.prompt=facial-cues")
    return key.strip(), toml_text.value(value)
