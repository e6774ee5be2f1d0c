"""Rows are small, frozen and named after their table."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest
from example_rows import ROWS

from model.dialogue import SPLITS, corpus_of, split_of


@pytest.mark.parametrize("table", ROWS)
def test_rows_cannot_be_changed_and_take_no_more_fields(table: str) -> None:
    row = ROWS[table][0]
    assert is_dataclass(row)
    assert not hasattr(row, "__dict__")
    with pytest.raises(FrozenInstanceError):
        setattr(row, fields(row)[0].name, "other")


@pytest.mark.parametrize("split", SPLITS)
def test_an_id_names_its_corpus_and_split(split: str) -> None:
    assert split_of(f"meld/{split}/38/4") == split
    assert corpus_of(f"meld/{split}/38/4") == "meld"
