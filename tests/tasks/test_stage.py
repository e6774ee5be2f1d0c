"""The contract of a stage: strict settings, and a key of what decides a result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import ValidationError

from model.dialogue import ReportFile
from tasks.stage import Context, StageSettings, columns


class Settings(StageSettings):
    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"workers"})

    prompt: str = "plain"
    """What to ask."""

    folder: Path = Path("here")
    workers: int = 1


def test_the_key_holds_what_decides_a_result_as_json() -> None:
    assert Settings(workers=4, max_rejects=1).key_fields() == {"prompt": "plain", "folder": "here"}


def test_settings_are_strict_and_frozen() -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Settings.model_validate({"promt": "typo"})
    with pytest.raises(ValidationError, match="frozen"):
        Settings().prompt = "other"
    for share in (-0.1, 1.1):
        with pytest.raises(ValidationError, match="max_rejects"):
            Settings(max_rejects=share)


def test_a_docstring_is_the_help_of_its_field() -> None:
    assert Settings.model_fields["prompt"].description == "What to ask."


def test_a_context_needs_no_progress_bar(tmp_path: Path) -> None:
    Context(cache=tmp_path, folder=tmp_path).progress(1, 2, "clips")


def test_columns_come_from_rows_or_from_what_is_stored_by_column() -> None:
    rows = {"reports": [ReportFile("a", 1, "x"), ReportFile("b", 2, "y")]}
    assert columns(rows, "reports", "bytes", "path") == [[1, 2], ["a", "b"]]

    class Stored(dict[str, Any]):
        def columns(self, table: str, names: Sequence[str]) -> list[list[Any]]:
            return [[table, name] for name in names]

    assert columns(Stored(), "reports", "bytes", "path") == [["reports", "bytes"], ["reports", "path"]]
