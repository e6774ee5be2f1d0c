"""What the input forbids is not begun; what it merely lacks is one line. Through the commands, with the real stages."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.guard import stops
from model.errors import RunFailed
from model.vlm import DEMO_FOLDER
from tasks import check_disk
from tasks.check_text import Finding

HEADER = "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
LABELS = ("neutral", "joy", "surprise", "anger", "sadness", "fear", "disgust")
GOOD = "".join(f"It is {label}.,Ana,{label},neutral,{number},0\n" for number, label in enumerate(LABELS))
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command in a folder with small.toml and a corpus of seven lines a split; raises what it raises."""
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}_sent_emo.csv").write_text(HEADER + GOOD.replace("It is", split))
    (tmp_path / "small.toml").write_text(
        f'name = "small"\nmodel = {str(tiny_model)!r}\n[ingest]\ncorpus = "meld"\nfolder = "."\n'
    )
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> Result:
        found = CliRunner().invoke(app, arguments or ("run", "small.toml", "--direct", "--until", "instructions"))
        if found.exception and not isinstance(found.exception, SystemExit):
            raise found.exception
        return found

    return invoke


def refused(run: Run, *arguments: str) -> str:
    with pytest.raises(RunFailed) as caught:
        run(*arguments)
    assert caught.value.exit_code == 3
    return str(caught.value)


def add(split: str, *rows: str) -> None:
    path = Path(f"{split}_sent_emo.csv")
    path.write_text(path.read_text() + "".join(f"{row}\n" for row in rows))


def test_a_good_input_is_run(run: Run) -> None:
    found = run()
    assert ": 4 shards done" in found.stdout
    assert "within the limits, 9 warnings" in found.stderr  # the published counts are other ones


@pytest.mark.parametrize("damage", ["gone", "empty", "columns"])
def test_a_corpus_that_cannot_be_read_stops_before_anything_is_written(run: Run, damage: str) -> None:
    path = Path("dev_sent_emo.csv")
    path.write_text({"gone": "", "empty": "", "columns": "a,b\n1,2\n"}[damage])
    if damage == "gone":
        path.unlink()
    before = sorted(Path().iterdir())
    said = refused(run)
    assert said.startswith("small: 1 error of the input, nothing was run and nothing written\n")
    assert "dev_sent_emo.csv" in said
    typed = re.findall(r"all of them: dialoguellm (.*)", said)[0]
    assert run(*shlex.split(typed)).exit_code == 3
    assert sorted(Path().iterdir()) == before


def test_too_many_rejects_stop_and_five_errors_are_listed(run: Run) -> None:
    add("dev", *(f"x,Ana,rage{n}\x1b[2J,neutral,0,{n + 1}" for n in range(9)))
    said = refused(run)
    first, second, *rest = said.splitlines()
    assert first.startswith("small: 10 errors of the input")
    assert "too_many_rejects  ingest  9 of 30 rows are refused" in second
    assert [line.split()[0] for line in rest[:4]] == ["unknown_label"] * 4
    assert rest[4] == "  and 5 more"
    assert "\x1b" not in said


def test_single_rejected_lines_are_one_line_on_standard_error(run: Run) -> None:
    add("dev", "x,Ana,rage,neutral,0,1")
    found = run()
    assert found.exit_code == 0
    (line,) = [line for line in found.stderr.splitlines() if line.startswith("check: ")]
    assert line.startswith("check: 1 error within the limits, 9 warnings; see dialoguellm check small.toml")


def test_an_empty_split_stops_the_stages_that_need_it(run: Run) -> None:
    Path("test_sent_emo.csv").write_text(f"{HEADER}x,Ana,rage,neutral,0,0\n")
    lenient = ("run", "small.toml", "--direct", "--set", "ingest.max_rejects=0.5")
    assert "empty_split  meld/test" in refused(run, *lenient)
    assert run(*lenient, "--until", "instructions").exit_code == 0


@pytest.mark.parametrize(
    ("check", "name", "stages", "expected"),
    [
        ("empty_split", "meld/dev", {"finetune", "evaluate"}, False),
        ("empty_split", "meld/train", {"finetune"}, True),
        ("empty_split", "meld/test", {"finetune"}, False),
        ("missing_video", "a.mp4", {"keyframes"}, False),
        ("corpus", "meld", {"ingest"}, True),
        ("leak", "meld/train", {"ingest"}, True),
    ],
)
def test_what_stops(check: str, name: str, stages: set[str], expected: bool) -> None:
    assert stops(Finding("error", check, name, ""), stages) == expected


def test_weights_that_cannot_be_had_stop(run: Run) -> None:
    said = refused(run, "run", "small.toml", "--direct", "--set", "model=./none")
    assert "source  instructions" in said
    assert not Path("workspace").exists()
    assert "--set model=./none" in said


def test_a_disk_that_is_too_small_stops_also_a_run_that_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("run", "small.toml", "--direct", "--until", "ingest")
    usage = shutil.disk_usage(".")._replace(free=1000)
    monkeypatch.setattr(check_disk.shutil, "disk_usage", lambda _path: usage)
    before = sorted(Path("workspace").rglob("*"))
    assert "disk  workspace  about " in refused(run)
    assert sorted(Path("workspace").rglob("*")) == before
    assert run("run", "small.toml", "--direct", "--until", "instructions", "--no-check").exit_code == 0
    assert run().exit_code == 0  # nothing is left to do, so nothing has to fit


def test_a_captioner_of_another_world_stops_also_a_run_that_goes_on(run: Run) -> None:
    filmed = ("run", "small.toml", "--direct", "--set", "ingest.videos=.")
    run(*filmed, "--until", "ingest", "--no-check")
    shutil.copytree(DEMO_FOLDER, "copied")
    before = sorted(Path("workspace").rglob("*"))
    for model in ("demo", "./copied"):
        said = refused(run, *filmed, "--until", "captions", "--set", f"captions.model={model}")
        assert f"captioner  captions  captions.model = '{model}' knows only the drawn world" in said
    assert sorted(Path("workspace").rglob("*")) == before


def test_once_it_is_read_the_corpus_is_not_read_again(run: Run) -> None:
    run("run", "small.toml", "--direct", "--until", "ingest")
    assert "check: " not in run().stderr


def test_without_the_check_a_run_finds_out_itself(run: Run) -> None:
    add("dev", *(f"x,Ana,rage{n},neutral,0,{n + 1}" for n in range(9)))
    with pytest.raises(RunFailed, match="ingest rejected"):
        run("run", "small.toml", "--direct", "--no-check")
    assert Path("workspace").exists()
