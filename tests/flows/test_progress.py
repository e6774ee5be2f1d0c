"""Progress: shards as fractions, one plain line where there is no terminal."""

from __future__ import annotations

import io

import pytest
from fake_stages import STAGES
from rich.console import Console
from rich.progress import Progress

from flows.progress import StageProgress, counting, showing


def bars(shards: list[int]) -> tuple[Progress, StageProgress]:
    progress = Progress(console=Console(file=io.StringIO()))
    task = progress.add_task("captions", total=len(shards), detail="")
    return progress, StageProgress(progress, task, STAGES[1], shards)


def test_running_shards_count_as_fractions() -> None:
    progress, stage = bars([4, 7])
    first, second = stage.callback(4), stage.callback(7)
    first(1, 4, "clips")
    assert progress.tasks[0].completed == 0.25
    second(1, 2, "clips")
    assert progress.tasks[0].completed == 0.75
    assert progress.tasks[0].fields["detail"] == "shard 2/2, 1/2 clips"
    assert stage.share() == 0.375
    stage.finished(4)
    stage.finished(7)
    assert stage.share() == 1
    assert progress.tasks[0].completed == progress.tasks[0].total == 2


def test_what_a_page_is_told() -> None:
    clock = iter([0.0, 60.0, 120.0, 180.0, *[180.0] * 9])
    progress = Progress(console=Console(file=io.StringIO()), get_time=lambda: next(clock), speed_estimate_period=600)
    stage = StageProgress(progress, progress.add_task("finetune", total=1, detail=""), STAGES[2], [0])
    assert (stage.share(), stage.told()) == (0, "")
    report = stage.callback(0)
    report(25, 100, "steps")  # as after a resume
    assert stage.told() == "25/100 steps"
    report(50, 100, "steps")
    assert (stage.share(), stage.told()) == (0.5, "50/100 steps, 0:02:00 left")
    report(100, 100, "steps")
    assert (stage.share(), stage.told()) == (1, "100/100 steps")


def test_a_unit_shows_its_own_count_and_nothing_to_do_is_no_error() -> None:
    progress, stage = bars([0])
    stage.callback(0)(0, 0, "clips")
    assert progress.tasks[0].fields["detail"] == "0/0 clips"
    assert progress.tasks[0].completed == 0


def test_without_a_terminal_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with showing(STAGES[1], [0, 1]) as progress:
        progress.callback(0)(1, 2, "clips with [brackets] and [/]")
        progress.finished(0)
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("captions: 2 shards in ")
    assert said.err.count("\n") == 1


def test_counting_says_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with counting() as progress:
        progress(1, 2, "clips with [/]")
    assert capsys.readouterr() == ("", "")
