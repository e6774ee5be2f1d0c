"""The file of a test of emotional understanding is the user's: whatever is wrong with it is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from seceu_file import FEELINGS, SCORES, content, write

from model.errors import CorpusError
from tasks.seceu_test import LARGEST, load


def test_a_file_as_it_should_be(tmp_path: Path) -> None:
    found = load(write(tmp_path / "items.json"))
    assert [item.options for item in found.items] == [*FEELINGS]
    assert [item.standard for item in found.items] == [*SCORES]
    assert (found.mean, found.sd, found.items[1].human, found.items[1].name) == (3.0, 0.5, 3.0, "2")


def test_shuffled_options_keep_their_scores(tmp_path: Path) -> None:
    found = load(write(tmp_path / "items.json"))
    other = found.shuffled(3)
    assert other.key == f"{found.key}-3"
    assert [item.options for item in other.items] != [item.options for item in found.items]
    for one, two in zip(found.items, other.items, strict=True):
        assert dict(zip(one.options, one.standard, strict=True)) == dict(zip(two.options, two.standard, strict=True))
    assert found.shuffled(3) == other != found.shuffled(4)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("id", None, "item 2: id must be"),
        ("id", 1, "each with an id of its own"),
        ("story", " ", r"item 2 \(id 2\): story must be a text"),
        ("options", ["Glad", "glad ", "Sad", "Mad"], "options must be 4 different texts"),
        ("options", ["Glad", "Sad", "Mad"], "options must be 4 different texts"),
        ("options", ["Glad", {}, "Sad", "Mad"], "options must be 4 different texts"),
        ("standard_scores", [4, 3, 2], "standard_scores must be 4 numbers"),
        ("standard_scores", [4, 3, 2, 2], "add up to 10"),
        ("standard_scores", [12, -2, 0, 0], "standard_scores must be 4 numbers from 0 on"),
        ("standard_scores", [4, 3, 2, float("nan")], "standard_scores: 3 must be a number, not 'nan'"),
        ("standard_scores", "4321", "standard_scores must be 4 numbers"),
        ("human_pattern", "2.9", "human_pattern must be a number, not '2.9'"),
        ("human_pattern", -1, "human_pattern is a distance"),
        ("human_pattern", True, "human_pattern must be a number"),
    ],
)
def test_an_item_at_fault_is_named(tmp_path: Path, place: str, value: Any, told: str) -> None:
    found = content()
    found["items"][1][place] = value
    with pytest.raises(CorpusError, match=told):
        load(write(tmp_path / "items.json", found))


def test_what_is_no_such_file(tmp_path: Path) -> None:
    path = tmp_path / "items.json"
    with pytest.raises(CorpusError, match="cannot be read"):
        load(path)
    with pytest.raises(CorpusError, match="cannot be read"):
        load(tmp_path)
    for text, told in [
        ("x" * (LARGEST + 1), "has more than 1,000,000 bytes"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "is not JSON"),
        ("[]", 'holds no object with a list "items"'),
        (json.dumps({**content(), "population_sd_distance": 0}), "must be above 0"),
        (json.dumps({"items": []}), "population_mean_distance must be a number"),
        (json.dumps({**content(), "items": content()["items"][:2]}), "three items or more"),
        (json.dumps({**content(), "items": [7]}), "item 1 is no object"),
    ]:
        path.write_text(text)
        with pytest.raises(CorpusError, match=told):
            load(path)
