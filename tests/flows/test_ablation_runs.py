"""Runs of a grid: what they share is done once, one that fails stops no other, and the test split stays shut."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grid_files
import pytest
from finished_run import ask
from grid_files import directly

from flows.ablation_runs import Do, Finished, Wanted, chosen, resolved, run_grid
from flows.grid import read_grid
from model.errors import RunFailed, SettingsError, WorkspaceLocked
from storage import ablations, ledger
from storage.layout import Layout, open_workspace
from storage.locks import holding
from tasks.ablation_plan import sharing
from tasks.grid import Member
from tasks.plan import Run

BROKEN = '\n[[case]]\nname = "broken"\nmodel = "./none"\n'


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Iterator[Path]:
    """A folder with a grid of three cells and two seeds and the workspace of its runs."""
    folder = tmp_path_factory.mktemp("grid")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        grid_files.write(folder, tiny_model)
        assert go("tiny-grid.toml").shards > 20
        yield folder


@pytest.fixture(autouse=True)
def _here(done: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(done)


def go(config: str, do: Do = directly, **wanted: object) -> Finished:
    grid = read_grid(config)
    return run_grid(grid, Path("workspace"), Wanted(config, check=False, **wanted), do, lambda _: None)  # type: ignore[arg-type]


def counting(done: list[str], fails: str = "") -> Do:
    """Does runs for real and notes their names; one of the name ``fails`` fails."""

    def do(member: Member, run: Run, reason: str) -> int:
        done.append(member.name)
        if member.name == fails:
            raise RunFailed("no luck today")
        return directly(member, run, reason)

    return do


def layout() -> Layout:
    return open_workspace(Path("workspace"))


def test_what_is_shared_is_made_once(done: Path) -> None:  # noqa: ARG001
    grid = read_grid("tiny-grid.toml")
    found = {one.stage: one for one in sharing(resolved(grid.members(grid.cells), Path("workspace"))[0])}
    assert (found["instructions"].runs, found["instructions"].keys) == (5, 2)
    assert (found["ingest"].keys, found["finetune"].keys, found["calibrate"].keys) == (1, 4, 5)
    assert "evaluate" not in found
    assert sum(one.pending for one in found.values()) == 0
    made = ask(layout(), "SELECT stage, count(DISTINCT stage_key) FROM shards GROUP BY stage")
    assert dict(made) == {one.stage: one.keys for one in found.values()}


def test_no_run_opens_the_test_split(done: Path) -> None:  # noqa: ARG001
    assert ask(layout(), "SELECT count(*) FROM test_reads") == [(0,)]
    assert {row[0] for row in ask(layout(), "SELECT DISTINCT split FROM ablations")} == {"dev"}


def test_the_results_are_in_the_database_and_on_a_page(done: Path) -> None:
    rows = ask(
        layout(), "SELECT cell, runs, planned, sd IS NULL FROM ablations WHERE metric = 'accuracy' ORDER BY cell"
    )
    assert [row for row in rows if not row[0].startswith("floor")] == [
        *(("context-0", 2, 2, False), ("context-1", 2, 2, False), ("untuned", 1, 1, True))
    ]
    assert "context-1" in (done / "workspace/ablations/tiny-grid/index.html").read_text()


def test_a_second_time_there_is_nothing_to_do(done: Path) -> None:
    files = {path: path.stat().st_mtime_ns for path in (done / "workspace/lake").rglob("part-*.parquet")}
    assert go("tiny-grid.toml").shards == 0
    assert {path: path.stat().st_mtime_ns for path in (done / "workspace/lake").rglob("part-*.parquet")} == files


def test_a_part_of_a_grid(done: Path) -> None:  # noqa: ARG001
    names: list[str] = []
    go("tiny-grid.toml", counting(names), only=("context-*",))
    assert names == [f"tiny-grid.context-{context}.seed-{seed}" for context in (0, 1) for seed in (1, 2)]
    assert [cell.label for cell in chosen(read_grid("tiny-grid.toml"), ("small/untuned",))] == ["untuned"]
    with pytest.raises(SettingsError, match=r"--only none: no cell is called so; there is small/context-0"):
        go("tiny-grid.toml", only=("none",))


def test_one_that_fails_stops_no_other_and_is_named(done: Path) -> None:  # noqa: ARG001
    names: list[str] = []
    finished = go("tiny-grid.toml", counting(names, fails="tiny-grid.context-0.seed-2"))
    assert len(names) == 5
    with pytest.raises(
        RunFailed, match=r"(?s)1 run failed, the others are done\n  no luck today\n.*--failed"
    ) as caught:
        finished.stop()
    assert caught.value.exit_code == 1
    assert [run["state"] for run in ablations.load(layout(), "tiny-grid")["runs"]].count("failed") == 1
    go("tiny-grid.toml").stop()
    assert {run["state"] for run in ablations.load(layout(), "tiny-grid")["runs"]} == {"done"}


def test_what_cannot_even_be_planned_is_one_failed_cell(done: Path) -> None:
    (done / "broken.toml").write_text(grid_files.GRID.replace("tiny-grid", "broken") + BROKEN)
    finished = go("broken.toml", only=("untuned", "broken"))
    assert [one.name for one in finished.failed] == ["broken.broken.seed-1", "broken.broken.seed-2"]
    assert "ablation broken.toml --only small/broken" in finished.failed[0].again


def test_a_shared_stage_that_failed_is_not_tried_by_each_run(tmp_path: Path, tiny_model: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        grid_files.write(tmp_path, tiny_model)
        for split in ("train", "dev"):
            (tmp_path / f"{split}_sent_emo.csv").write_text(grid_files.HEADER)
        names: list[str] = []
        finished = go("tiny-grid.toml", counting(names))
        assert len(finished.failed) == 5
        assert names == ["tiny-grid.context-0.seed-1", "tiny-grid.context-1.seed-1", "tiny-grid.untuned"][: len(names)]
        assert len(names) < 5


def test_the_test_split_is_read_by_those_that_are_chosen_and_on_record(done: Path) -> None:
    copy = done / "copy"
    shutil.copytree(done / "workspace", copy)
    grid = read_grid("tiny-grid.toml")
    finished = run_grid(grid, copy, Wanted("tiny-grid.toml", test="context-1", check=False), directly, lambda _: None)
    finished.stop()
    reads = [
        read
        for run in ledger.runs(open_workspace(copy))
        for read in ledger.readings(open_workspace(copy), run["run_id"])
    ]
    assert [read["why"] for read in reads] == ["ablation tiny-grid --test context-1"] * 2
    rows = [row for row in finished.record["rows"] if row["split"] == "test" and not row["cell"].startswith("floor")]
    assert {(row["cell"], row["runs"], row["difference"]) for row in rows} == {("context-1", 2, None)}
    page = finished.page.read_text()
    assert "Test was read for 1 of 3 cells, by 2 models, each once." in page


def test_two_processes_do_not_run_one_grid(done: Path) -> None:  # noqa: ARG001
    with holding(layout(), "_ablation-tiny-grid"), pytest.raises(WorkspaceLocked):
        go("tiny-grid.toml")


@contextmanager
def _held(name: str) -> Iterator[None]:
    with holding(layout(), name):
        yield


def test_a_run_that_another_process_holds_is_one_failed_cell(done: Path) -> None:  # noqa: ARG001
    with _held("tiny-grid.untuned"):
        finished = go("tiny-grid.toml")
    assert [one.name for one in finished.failed] == ["tiny-grid.untuned"]
    assert "in use by process" in finished.failed[0].error


def test_a_full_disk_stops_all(done: Path) -> None:  # noqa: ARG001
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        go("tiny-grid.toml", full)
