"""A grid's file becomes cells, each a configuration that holds; what is wrong is told all at once."""

from __future__ import annotations

from pathlib import Path

import grid_files
import pytest
from grid_files import grid_of

from flows.grid import MOST, is_grid, of_seeds, read_grid, shipped_grids
from flows.settings import prepare, read
from model.errors import SettingsError

BASE = 'name = "g"\nbase = "small.toml"\n'


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grid_files.write(tmp_path, "smollm2-135m-instruct")
    monkeypatch.chdir(tmp_path)


def faults(text: str, *overrides: str) -> str:
    with pytest.raises(SettingsError) as caught:
        grid_of(Path("g.toml"), text, *overrides)
    return str(caught.value)


def test_a_grid_is_the_product_of_its_axes_and_its_cases() -> None:
    grid = read_grid("tiny-grid.toml")
    assert [cell.label for cell in grid.cells] == ["context-0", "context-1", "untuned"]
    assert [cell.tuned for cell in grid.cells] == [True, True, False]
    names = [member.name for member in grid.members(grid.cells)]
    assert names == [
        *("tiny-grid.context-0.seed-1", "tiny-grid.context-0.seed-2"),
        *("tiny-grid.context-1.seed-1", "tiny-grid.context-1.seed-2", "tiny-grid.untuned"),
    ]


def test_a_cell_is_a_run_that_can_be_typed() -> None:
    grid = read_grid("tiny-grid.toml")
    member = grid.members(grid.cells)[2]
    values, settings, _ = read("small.toml", member.overrides)
    assert values["name"] == member.name
    assert settings["instructions"].context == 1  # type: ignore[attr-defined]
    assert settings["finetune"].seed == 1  # type: ignore[attr-defined]
    assert (settings["calibrate"].enabled, settings["evaluate"].enabled) == (True, False)  # type: ignore[attr-defined]
    tested = read("small.toml", grid.members(grid.cells, test=True)[2].overrides)[1]
    assert tested["evaluate"].enabled  # type: ignore[attr-defined]


def test_several_bases_are_in_the_names(tmp_path: Path) -> None:
    other = Path("small.toml").read_text().replace('"small"', '"other"')
    (tmp_path / "other.toml").write_text(other)
    text = 'name = "g"\nbase = ["small.toml", "other.toml"]\n[[case]]\nname = "a"\n'
    text += '[[case]]\nname = "b"\nonly = ["other"]\n'
    grid = grid_of(Path("g.toml"), text + "instructions.context = 5\n")
    assert [cell.id for cell in grid.cells] == ["small/a", "other/a", "other/b"]
    assert [member.name for member in grid.members(grid.cells)] == ["g.small.a", "g.other.a", "g.other.b"]


def test_what_comes_to_the_same_is_left_out_and_named() -> None:
    grid = grid_of(
        Path("g.toml"), BASE + "[grid]\nfinetune.enabled = [true, false]\nfinetune.epochs = [1, 2]\n", yes=False
    )
    assert [cell.label for cell in grid.cells] == [
        *("finetune-on.epochs-1", "finetune-on.epochs-2"),
        "finetune-off.epochs-1",
    ]
    assert grid.same == (("small/finetune-off.epochs-2", "small/finetune-off.epochs-1"),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[grid]\ninstructions.contxt = [1]\n", "grid.instructions.contxt: no such setting; instructions.context?"),
        ("[grid]\ncontext = [1]\n", "grid.context: no such setting; instructions.context?"),
        ("[grid]\ninstructions.context = []\n", "grid.instructions.context: has no value"),
        ("[grid]\ninstructions.context = 1\n", "grid.instructions.context: must be a list of values, not 1"),
        ("[grid]\ninstructions.context = [1, 1]\n", "two cells are called small/context-1"),
        ("[grid]\ninstructions.context = [-1]\n", "context--1: instructions.context"),
        ("[grid]\nfinetune.seed = [1, 2]\n", "grid.finetune.seed: seeds of training are written seeds = [1, 2, 3]"),
        ("[grid]\nevaluate.enabled = [true, false]\n", "grid.evaluate.enabled: is the grid's own"),
        ("[settings]\nfinetune.epoch = 3\n[grid]\ninstructions.context = [1]\n", "no such setting; finetune.epochs?"),
        ("[gird]\ninstructions.context = [1]\n", "gird: unknown; grid?"),
        ("[finetune]\nepochs = 3\n", "g.toml is the configuration of one run"),
        ("seeds = [1, 1]\n", "seeds: each once"),
        ("seeds = [true]\n", "seeds: must be a list of whole numbers"),
        ("", "nothing varies"),
        (
            'against = "contxt-1"\n[grid]\ninstructions.context = [1]\n',
            "against: no cell is called contxt-1; context-1?",
        ),
        ('[[case]]\nname = "a"\nonly = ["else"]\n', "case a: only: no base is called else; there is small"),
        ('[[case]]\nname = "a/b"\n', "case 1: name: needed"),
        ('[[case]]\nname = "a"\nfinetune.rank = 4\n', "case a: finetune.rank: no such setting"),
        ('[[case]]\nname = "a"\n[[case]]\nname = "b"\n', "small/b and small/a are the same cell"),
        (
            '[paper]\ntable = "Table 9"\n[[case]]\nname = "a"\n',
            "paper.table: no numbers of 'Table 9'; there is Table 3",
        ),
        ('[[case]]\nname = "a"\npaper = "full"\n[paper]\ntable = "Table 4"\n', "paper: Table 4 has no row 'full'"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str) -> None:
    base = BASE if not text.startswith("[finetune]") else 'name = "g"\n'
    assert told in faults(base + text)


def test_all_faults_are_told_at_once() -> None:
    text = faults(BASE + "[grid]\ninstructions.contxt = [1]\nfinetune.epochs = []\n")
    assert "has 2 faults" in text
    assert "contxt" in text
    assert "finetune.epochs: has no value" in text


def test_a_setting_that_cells_vary_cannot_be_set_for_all() -> None:
    text = BASE + "[grid]\ninstructions.context = [0, 1]\n"
    assert "--set instructions.context: cells of the grid set it" in faults(text, "instructions.context=2")
    grid = grid_of(Path("g.toml"), text, "finetune.epochs=3")
    assert "finetune.epochs=3" in grid.members(grid.cells)[0].overrides


def test_a_large_grid_says_how_many_and_waits_to_be_told() -> None:
    axes = "[grid]\ninstructions.context = [0, 1, 2, 3, 4, 5]\nfinetune.epochs = [1, 2, 3, 4, 5, 6]\n"
    text = BASE + "seeds = [1, 2, 3, 4, 5, 6, 7]\n" + axes
    assert f"is a grid of 252 runs, more than {MOST}: --yes begins" in faults(text)
    assert len(grid_of(Path("g.toml"), text, yes=True).cells) == 36
    huge = (
        BASE
        + "[grid]\n"
        + "".join(f"instructions.{name} = {[*range(1, 90)]}\n" for name in ("context", "shots", "seed"))
    )
    with pytest.raises(SettingsError, match=r"704,969 runs, more than 20,000: cut it down"):
        grid_of(Path("g.toml"), huge, yes=True)


def test_a_configuration_and_a_grid_are_not_taken_for_each_other() -> None:
    with pytest.raises(SettingsError, match=r"small.toml is the configuration of one run, .* --seeds 1,2,3"):
        read_grid("small.toml")
    with pytest.raises(SettingsError, match="demo is the configuration of one run"):
        read_grid("demo")
    for name in ("tiny-grid.toml", "demo-grid"):
        with pytest.raises(SettingsError, match=f"is a grid of runs: `dialoguellm ablation {name}`"):
            prepare(name)
    with pytest.raises(SettingsError, match="no grid 'none': give the path of a TOML file or one of demo-grid"):
        read_grid("none")
    assert [is_grid(name) for name in ("tiny-grid.toml", "demo-grid", "small.toml", "demo", "none")] == [
        *(True, True, False, False, False)
    ]


def test_seeds_of_one_configuration_are_a_grid_of_one_cell() -> None:
    grid = of_seeds("small.toml", (3, 5), ["finetune.epochs=2"])
    assert [member.name for member in grid.members(grid.cells, test=True)] == [
        *("small.seeds.seeds.seed-3", "small.seeds.seeds.seed-5")
    ]
    with pytest.raises(SettingsError, match="seeds: each once"):
        of_seeds("small.toml", (1, 1))
    with pytest.raises(SettingsError, match="finetune is off, so that no seed"):
        of_seeds("small.toml", (1, 2), ["finetune.enabled=false"])


def test_several_hosts_cannot_share_the_runs_of_a_grid() -> None:
    hosts = ["finetune.hosts=2", 'finetune.rendezvous="10.0.0.1:29500"']
    with pytest.raises(SettingsError, match=r"finetune.hosts = 2: .* train on one host; take it out, or give each"):
        of_seeds("small.toml", (1, 2), hosts)
    with pytest.raises(SettingsError, match=r"context-0: finetune.hosts = 2: "):
        read_grid("tiny-grid.toml", hosts)
    assert of_seeds("small.toml", (1, 2), hosts[1:]).cells


@pytest.mark.parametrize("name", sorted(shipped_grids()))
def test_a_shipped_grid_is_valid(name: str) -> None:
    grid = read_grid(name)
    assert grid.name == name
    assert shipped_grids()[name].startswith("# ")
    assert len(grid.cells) > 1
    assert not grid.same or name == "paper-table4"
    assert (grid.paper is not None) == name.startswith("paper-")
