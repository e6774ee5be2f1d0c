"""Names and types of a grid's tables."""

from __future__ import annotations

from typing import Any

import pytest

from flows.grid_faults import Faults, check
from model.errors import SettingsError

GOOD: dict[str, Any] = {"name": "g", "base": "demo", "grid": {"instructions": {"context": [1]}}}


def found(**values: Any) -> list[str]:
    faults = Faults()
    check({**GOOD, **values}, faults)
    return faults.found


def test_a_good_one_has_none() -> None:
    assert found() == []
    assert found(base=["demo", "meld"], seeds=[1], case=[{"name": "a", "finetune": {"epochs": 2}}]) == []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "a b"}, "name: needed"),
        ({"name": "a" * 41}, "name: needed, 1 to 40"),
        ({"base": []}, "base: needed"),
        ({"base": 3}, "base: needed"),
        ({"grid": [1]}, "grid: must be a table"),
        ({"against": 1}, "against: must be text"),
        ({"case": {"name": "a"}}, "case: must be a list of tables"),
        ({"seeds": []}, "seeds: each once, and at least one"),
        ({"seeds": [-1]}, "seeds: must be a list of whole numbers"),
        ({"finetune": {}}, "finetune: unknown; [settings] or [grid] finetune?"),
    ],
)
def test_each_fault_says_what_is_wanted(values: dict[str, Any], told: str) -> None:
    assert any(text.startswith(told) for text in found(**values)), found(**values)


def test_many_faults_are_cut_short() -> None:
    faults = Faults()
    faults.add(*(f"fault {number}" for number in range(20)), "fault 1")
    with pytest.raises(SettingsError, match=r"(?s)g has 20 faults:.*fault 11\n  and 8 more$"):
        faults.stop("g")
    Faults().stop("g")
