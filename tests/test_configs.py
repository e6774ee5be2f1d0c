"""Every configuration that comes with the program can be used."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from flows.grid import shipped_grids
from flows.run_commands import Config
from flows.settings import prepare, shipped, validate
from tasks.stages import STAGES

FOLDER = Path(__file__).parents[1] / "configs"


def test_all_files_are_shipped() -> None:
    assert {path.stem for path in FOLDER.glob("*.toml")} == {*shipped()}
    assert "demo" in shipped()


def test_all_grids_are_shipped_and_named_where_they_are_told_of() -> None:
    told = (FOLDER.parent / "docs" / "ablation.md").read_text()
    assert {path.stem for path in FOLDER.glob("ablation/*.toml")} == {*shipped_grids()}
    assert all(f"`{name}`" in told or f" {name} " in told for name in shipped_grids())
    assert not {*shipped_grids()} & {*shipped()}


def test_the_help_names_them() -> None:
    (argument,) = [item for item in Config.__metadata__ if hasattr(item, "help")]
    assert all(name in argument.help for name in shipped())


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_configuration_is_valid(name: str) -> None:
    values = tomllib.loads(shipped()[name])
    assert values["name"] == name
    settings = validate(values, name)
    assert [*settings] == [stage.name for stage in STAGES]
    assert all(isinstance(settings[stage.name], stage.settings) for stage in STAGES)


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_configuration_has_a_comment_that_says_what_it_is(name: str) -> None:
    assert shipped()[name].startswith("# ")


def test_the_demo_can_be_planned_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = prepare("demo", create=False)
    assert [stage.name for stage in run.stages()] == [stage.name for stage in STAGES if stage.name != "calibrate"]
    assert [name for name, key in run.keys.items() if key is None] == ["calibrate"]
    assert list(tmp_path.iterdir()) == []
