"""What can be wrong with the tables of a grid's TOML file, before any of its cells is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from flows.output import counted
from model.errors import SettingsError
from storage import ledger
from tasks.grid import fault_of_key, flatten
from tasks.stages import BY_NAME

TOP = ("name", "base", "workspace", "seeds", "against", "settings", "grid", "case", "paper")
CASE = ("name", "only", "paper")
_SHOWN = 12


@dataclass(slots=True)
class Faults:
    """Faults in the order in which they were found, each once."""

    found: list[str] = field(default_factory=list)

    def add(self, *texts: str) -> None:
        self.found += [text for text in dict.fromkeys(texts) if text not in self.found]

    def stop(self, source: str) -> None:
        """Raises SettingsError with all of them, where there are any."""
        if self.found:
            more = [f"and {len(self.found) - _SHOWN} more"] * (len(self.found) > _SHOWN)
            listed = "\n  ".join([*self.found[:_SHOWN], *more])
            raise SettingsError(f"{source} has {counted(len(self.found), 'fault')}:\n  {listed}")


def check(values: Mapping[str, Any], faults: Faults) -> None:
    """Adds what is wrong with names and types, with the nearest right name where there is one."""
    for key in values:
        if key not in TOP:
            near = get_close_matches(key, TOP, 1) or ([f"[settings] or [grid] {key}"] if key in BY_NAME else [])
            faults.add(f"{key}: unknown" + (f"; {near[0]}?" if near else f"; allowed are {', '.join(TOP)}"))
    faults.add(*_of_the_top(values))
    cases = values.get("case", [])
    if not isinstance(cases, list) or not all(isinstance(one, dict) for one in cases):
        faults.add("case: must be a list of tables, each written [[case]]")
    if not faults.found:
        faults.add(*_of_axes(values), *_of_cases(values))


def own(case: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a [[case]]."""
    return {key: value for key, value in case.items() if key not in CASE}


def _of_the_top(values: Mapping[str, Any]) -> Iterator[str]:
    name, base, seeds = values.get("name"), values.get("base"), values.get("seeds", [])
    if not isinstance(name, str) or not ledger.safe_name(name) or len(name) > 40:
        yield "name: needed, 1 to 40 letters, digits, '-', '_' or '.', beginning with a letter or digit"
    bases = [base] if isinstance(base, str) else base
    if not isinstance(bases, list) or not bases or not all(isinstance(one, str) for one in bases):
        yield "base: needed, the path or name of a configuration, or a list of them"
    if not isinstance(seeds, list) or not all(type(one) is int and one >= 0 for one in seeds):
        yield f"seeds: must be a list of whole numbers, not {seeds!r}"
    elif len({*seeds}) < len(seeds) or ("seeds" in values and not seeds):
        yield f"seeds: each once, and at least one, not {seeds!r}"
    for key, kind in (("workspace", str), ("against", str), ("settings", dict), ("grid", dict), ("paper", dict)):
        if key in values and not isinstance(values[key], kind):
            yield f"{key}: must be {'text' if kind is str else f'a table, written [{key}]'}"


def _of_axes(values: Mapping[str, Any]) -> Iterator[str]:
    axes = dict(flatten(values.get("grid", {})))
    if not axes and not values.get("case") and not values.get("seeds"):
        yield "nothing varies: give axes under [grid], cells as [[case]], or seeds"
    for key, axis in axes.items():
        if not isinstance(axis, list):
            yield f"grid.{key}: must be a list of values, not {axis!r}; what all cells have stands in [settings]"
        elif not axis:
            yield f"grid.{key}: has no value: name some, or leave the axis out"
        if fault := fault_of_key(key):
            yield f"grid.{fault}"
    for key, _ in flatten(values.get("settings", {})):
        if fault := fault_of_key(key):
            yield f"settings.{fault}"


def _of_cases(values: Mapping[str, Any]) -> Iterator[str]:
    for number, case in enumerate(values.get("case", ()), start=1):
        name = case.get("name")
        if not isinstance(name, str) or not ledger.safe_name(name):
            yield f"case {number}: name: needed, letters, digits, '-', '_' or '.'"
        if not isinstance(case.get("only", []), list) or not isinstance(case.get("paper", ""), str):
            yield f"case {name or number}: only is a list of bases' names, paper the name of a row"
        for key, _ in flatten(own(case)):
            if fault := fault_of_key(key):
                yield f"case {name or number}: {fault}"
