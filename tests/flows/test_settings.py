"""From TOML to settings; every fault at once."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import fake_stages
import pytest
from pydantic import ValidationError

from flows import settings
from flows.settings import _apply, found_at, prepare, read, shipped, validate
from model.errors import CorpusError, SettingsError, WorkspaceError
from tasks.captions import CaptionsSettings

CONFIG = """
name = "fake"
workspace = "{workspace}"
seed = 5
model = "small"

[captions]
prompt = "faces"

[finetune]
seed = 9
"""


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "fake.toml"
    path.write_text(CONFIG.format(workspace=tmp_path / "workspace"))
    return path


def faults(values: dict[str, Any]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        validate({"name": "fake", **values}, "fake.toml")
    first, *rest = str(caught.value).splitlines()
    assert first == f"fake.toml has {len(rest)} fault{'s' * (len(rest) > 1)}:"
    return [line.strip() for line in rest]


# ---- what a configuration means


def test_a_configuration_becomes_a_run(config: Path, tmp_path: Path) -> None:
    run = prepare(str(config))
    assert run.name == "fake"
    assert run.layout.root == tmp_path / "workspace"
    assert run.record["source"] == str(config)
    assert run.record["machine"]["python"]
    captions, finetune = run.settings["captions"], run.settings["finetune"]
    assert captions.model_dump(include={"prompt", "model", "seed"}) == {"prompt": "faces", "model": "vlm", "seed": 5}
    assert finetune.model_dump(include={"model", "seed"}) == {"model": "small", "seed": 9}


def test_the_workspace_option_wins(config: Path, tmp_path: Path) -> None:
    assert prepare(str(config), workspace=tmp_path / "other").layout.root == tmp_path / "other"


def test_planning_makes_no_workspace(config: Path, tmp_path: Path) -> None:
    for exists in (False, True):  # an empty folder is not a workspace either
        if exists:
            (tmp_path / "workspace").mkdir()
        before = sorted(tmp_path.rglob("*"))
        assert prepare(str(config), create=False).layout.root == tmp_path / "workspace"
        assert sorted(tmp_path.rglob("*")) == before
    (tmp_path / "workspace" / "workspace.json").write_text("{")
    with pytest.raises(WorkspaceError, match="is damaged"):
        prepare(str(config), create=False)


def test_a_run_is_found_where_its_sources_are_there(config: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    layout, run = found_at(*read(str(config)), None)
    assert run
    assert (layout.root, run.run_id) == (tmp_path / "workspace", prepare(str(config), create=False).run_id)
    assert found_at(*read(str(config), ["ingest.model=missing"]), tmp_path / "other")[1] is None
    assert sorted(tmp_path.rglob("*")) == before


def test_the_same_configuration_is_the_same_run(config: Path) -> None:
    assert prepare(str(config)).run_id == prepare(str(config)).run_id
    assert prepare(str(config), overrides=["captions.prompt=other"]).run_id != prepare(str(config)).run_id


def test_what_a_stage_refuses_at_once_is_reported(config: Path) -> None:
    with pytest.raises(CorpusError, match="no such corpus"):
        prepare(str(config), overrides=["ingest.model=missing"])


# ---- --set


@pytest.mark.parametrize(
    ("override", "stage", "field", "value"),
    [
        ("captions.prompt=facial cues", "captions", "prompt", "facial cues"),
        ('captions.prompt="quoted"', "captions", "prompt", "quoted"),
        ("captions.prompt=a=b", "captions", "prompt", "a=b"),
        ("captions.prompt=", "captions", "prompt", ""),
        (" captions.prompt =x", "captions", "prompt", "x"),
        ("ingest.lines=7", "ingest", "lines", 7),
        ("captions.max_rejects=0.5", "captions", "max_rejects", 0.5),
        ("captions.enabled=false", "captions", "enabled", False),
        ("captions.broken=[1, 2]", "captions", "broken", (1, 2)),
        ("ingest.dialogues={train = 1}", "ingest", "dialogues", {"train": 1}),
        ("ingest.dialogues.train=2", "ingest", "dialogues", {"train": 2}),
        ("seed=8", "captions", "seed", 8),
        ("score.seed=4", "score", "seed", 4),
    ],
)
def test_an_override_is_toml_or_text(config: Path, override: str, stage: str, field: str, value: object) -> None:
    assert getattr(prepare(str(config), overrides=[override]).settings[stage], field) == value


def test_the_last_override_wins(config: Path) -> None:
    run = prepare(str(config), overrides=["seed=1", "captions.seed=2", "captions.seed=3"])
    assert getattr(run.settings["captions"], "seed", None) == 3


def test_a_table_of_a_list_is_named_by_its_number() -> None:
    values: dict[str, Any] = {"ingest": {"parts": [{"folder": "here"}, {"folder": "there"}]}}
    _apply(values, "ingest.parts.1.folder=elsewhere")
    assert values["ingest"]["parts"] == [{"folder": "here"}, {"folder": "elsewhere"}]
    for override, message in (
        ("ingest.parts.2.folder=x", "2 is not a table"),
        ("ingest.parts.first.folder=x", "first is not a table"),
        ("ingest.parts.folder=x", "parts is a list of tables: name one by its number"),
    ):
        with pytest.raises(SettingsError, match=message):
            _apply(values, override)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("captions.prompt", r"--set captions\.prompt: write it as key=value"),
        ("name.x=1", r"--set name\.x=1: name is not a table"),
        ("captions.prompt.deeper=1", "prompt is not a table"),
        ("captions=1", r"captions: must be a table, written \[captions\]"),
        ("=1", ": unknown; allowed are"),
        ("nonsense.x=1", "nonsense: unknown; allowed are name, workspace, model, seed, run, ingest"),
        ("seed=07", "seed: must be a whole number, not '07'"),
    ],
)
def test_an_override_that_makes_no_sense_is_named(config: Path, override: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        prepare(str(config), overrides=[override])


# ---- faults


def test_every_fault_is_shown_with_its_key_and_what_is_allowed() -> None:
    found = faults(
        {
            "nonsense": 1,
            "seed": "three",
            "captions": {"promt": "typo", "max_rejects": 2, "enabled": "perhaps"},
            "ingest": {"dialogues": {"train": "many"}, "lines": 1.5},
            "score": 7,
        }
    )
    assert len(found) == 8
    assert found[0] == (
        "nonsense: unknown; allowed are "
        "name, workspace, model, seed, run, ingest, captions, finetune, evaluate, score, report"
    )
    assert found[1] == "seed: must be a whole number, not 'three'"
    text = "\n".join(found[2:])
    allowed = "max_rejects, hang_after_s, enabled, prompt, reject, broken, model, seed"
    assert f"captions.promt: unknown; allowed are {allowed}" in text
    assert "captions.max_rejects: Input should be less than or equal to 1 (found 2)" in text
    assert "captions.enabled: Input should be a valid boolean" in text
    assert "ingest.dialogues.train: Input should be a valid integer" in text
    assert "ingest.lines: Input should be a valid integer" in text
    assert "score: must be a table, written [score]" in text


def test_a_value_that_may_hold_a_password_is_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        CaptionsSettings(server="http://joe:hunter22@models.example/v1", server_key_env="sk-hunter22", max_frames=99)
    told = sorted(settings._explain("captions", CaptionsSettings, item) for item in caught.value.errors())
    assert [line.partition(":")[0] for line in told] == [
        f"captions.{name}" for name in ("max_frames", "server", "server_key_env")
    ]
    assert "found 99" in told[0]
    assert "hunter22" not in " ".join(told)


def test_one_wrong_value_is_one_fault() -> None:
    """A wrong seed or model is handed to every stage; it is not shown once for each."""
    assert faults({"seed": "x"}) == ["seed: must be a whole number, not 'x'"]
    assert faults({"seed": True}) == ["seed: must be a whole number, not True"]
    assert faults({"model": 1}) == ["model: must be a string, not 1"]
    assert faults({"workspace": ["x"]}) == ["workspace: must be a string, not ['x']"]


@pytest.mark.parametrize("name", [None, 3, "", "../up", "a/b", ".hidden", "two words", "x" * 65, "ä", "a\n"])
def test_a_name_that_cannot_be_a_file_is_refused(name: object) -> None:
    (found,) = faults({"name": name})
    assert found.startswith("name: needed, 1 to 64 letters, digits")


def test_a_name_is_needed() -> None:
    with pytest.raises(SettingsError, match="name: needed"):
        validate({}, "fake.toml")


# ---- files


@pytest.mark.parametrize("text", ["name = ", "= 1", "name = 'a'\nname = 'b'", "[captions", "name = 'a\0'"])
def test_bad_toml_is_named_with_its_place(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=r"bad\.toml is not valid TOML: .*\(at (line \d+|end of document)"):
        prepare(str(path))


def test_a_missing_file_names_the_shipped_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no configuration '.*none\.toml': give the path .* one of .*demo"):
        prepare(str(tmp_path / "none.toml"))


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "binary.toml"
    path.write_bytes(b"name = '\xff\xfe'")
    with pytest.raises(SettingsError, match=r"binary\.toml cannot be read"):
        prepare(str(path))


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        prepare(str(tmp_path))


def test_text_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    path = tmp_path / "fake.toml"
    path.write_bytes("name = 'fake'\n[captions]\nprompt = 'Gefühl'".encode())
    run = prepare(str(path), workspace=tmp_path / "workspace")
    assert getattr(run.settings["captions"], "prompt", None) == "Gefühl"


def test_a_file_in_the_current_folder_wins_over_a_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "demo" in shipped()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_text('name = "mine"')
    assert prepare("demo").name == "mine"


# ---- the program's own commit


def repository(folder: Path) -> str:
    """A new repository with one commit; its id."""
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", "init", "-q", folder], check=True)
    subprocess.run(["git", "-C", folder, *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    return subprocess.check_output(["git", "-C", folder, "rev-parse", "HEAD"], text=True).strip()


def test_the_commit_is_that_of_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repository(tmp_path)
    places = {"flows": commit, "venv/site-packages/flows": None}  # the second is somebody else's checkout
    for place, expected in places.items():
        (tmp_path / place).mkdir(parents=True)
        monkeypatch.setattr(settings, "__file__", str(tmp_path / place / "settings.py"))
        assert settings.git_commit() == expected


def test_without_checkout_or_git_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "__file__", str(tmp_path / "flows" / "settings.py"))
    assert settings.git_commit() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert settings.git_commit() is None
