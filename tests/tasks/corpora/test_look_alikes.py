from __future__ import annotations

import pytest

from tasks.corpora.look_alikes import LookAlikes, skeleton


@pytest.mark.parametrize(
    "name",
    ["R\u043ess", "Ross\u200b", "\u202eRoss", "R\u03bfss", "\uff32oss", "Ro\u00adss", "Ro\ufeffss"],
)
def test_what_looks_like_another_name_is_found(name: str) -> None:
    seen = LookAlikes()
    assert seen.other("Ross", "0") is None
    assert seen.other(name, "0") == "Ross"
    assert seen.other(name, "1") is None, "in another place it is the first"
    assert seen.other("Ross", "1") == name


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Ross", "Rachel"),
        ("Ross", "ross"),
        ("José", "Jose"),
        ("Анна", "Инна"),
        ("a1", "al"),
        ("Zoë", "Zoé"),
        ("李", "季"),
    ],
)
def test_what_looks_otherwise_is_another(one: str, two: str) -> None:
    seen = LookAlikes()
    assert seen.other(one, "0") is None
    assert seen.other(two, "0") is None
    assert seen.other(one, "0") is None


def test_a_skeleton_is_its_own() -> None:
    for name in ("Ross", "R\u043ess", "Анна", "\uff32\u200b\u043e", "\u2013"):
        assert skeleton(skeleton(name)) == skeleton(name)
