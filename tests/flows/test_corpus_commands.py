from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.corpus_commands import CONFIG, TABLE
from flows.settings import prepare
from model.dialogue import SPLITS, Utterance
from model.errors import SettingsError
from tasks import ingest
from tasks.stage import Context


def init(folder: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["corpus", "init", str(folder), *options])


@pytest.mark.parametrize("options", [[], ["--subtitles"]])
@pytest.mark.parametrize("name", ["talks", 'o"d\\d Ünamed', "(--)"])
def test_what_it_writes_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert init(Path(name), *options).exit_code == 0
    run = prepare(f"{name}/{CONFIG}", create=False)
    assert run.keys["keyframes"] is None
    settings = run.settings["ingest"]
    assert isinstance(settings, ingest.IngestSettings)
    rows = list(ingest.run({}, settings, Context(cache=tmp_path, folder=tmp_path)))
    assert all(isinstance(row, Utterance) for row in rows)
    assert {row.split for row in rows} == {*SPLITS}
    assert {row.emotion for row in rows} == {"neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust"}


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / TABLE).write_text("mine")
    found = init(tmp_path)
    assert isinstance(found.exception, SettingsError)
    assert "is there already" in str(found.exception)
    assert (tmp_path / TABLE).read_text() == "mine"
    assert not (tmp_path / CONFIG).exists()


@pytest.mark.parametrize("name", ["dev/garden.vtt", CONFIG])
def test_subtitles_overwrite_nothing_either(tmp_path: Path, name: str) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / name).write_text("mine")
    found = init(tmp_path, "--subtitles")
    assert isinstance(found.exception, SettingsError)
    assert f"{name} is there already" in str(found.exception)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == [Path(name).name]
