"""The command line on bad input: one clear message and a non-zero exit; readers stay light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from pipeline_runs import command, dialoguellm, environment

GOOD = 'name = "small"\n[ingest]\ncorpus = "demo"\n'


def fails(home: Path, *arguments: str, code: int) -> str:
    return dialoguellm(home, *arguments, code=code)


def test_unknown_keys_and_wrong_types_are_shown_at_once(tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text(
        'name = "bad"\ncolour = 1\n[keyframes]\nmax_frames = "many"\nframes = 3\n[ingest]\ncorpus = "x"\n'
    )
    said = fails(tmp_path / "home", "run", str(config), code=2)
    for key in ("colour", "keyframes.max_frames", "keyframes.frames", "ingest.corpus"):
        assert key in said
    assert "max_frames, " in said
    assert "meld" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run", "nowhere.toml"), 2, "no configuration 'nowhere.toml'"),
        (("status",), 1, "holds no workspace yet"),
        (("plan", "demo", "--set", "captions"), 2, "write it as key=value"),
        (("run", "demo", "--from", "captions", "--until", "ingest"), 2, "comes after"),
        (("run", "demo", "--stages", "dance"), 2, "no stage is called dance"),
        (("rerun", "demo"), 2, "--failed or --stage"),
        (("sql", "select 1"), 1, "holds no workspace yet"),
    ],
)
def test_mistakes_end_in_one_message(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    output = fails(tmp_path / "home", *arguments, code=code)
    assert said in output
    assert "Traceback" not in output


def test_a_newer_workspace_is_refused(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    (workspace / "workspace.json").write_text('{"format": 99}')
    assert "workspace format 99" in fails(tmp_path / "home", "status", "-w", str(workspace), code=1)


def test_a_file_in_the_way_of_the_workspace(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    config = tmp_path / "good.toml"
    config.write_text(GOOD)
    said = fails(tmp_path / "home", "run", str(config), "-w", str(tmp_path / "taken" / "workspace"), code=1)
    assert "cannot be made" in said
    assert "Traceback" not in said


def test_an_empty_csv_is_refused(tmp_path: Path) -> None:
    corpus = tmp_path / "meld"
    corpus.mkdir()
    for split in ("train", "dev", "test"):
        (corpus / f"{split}_sent_emo.csv").write_text("")
    config = tmp_path / "meld.toml"
    config.write_text(f'name = "meld"\n[ingest]\ncorpus = "meld"\nfolder = {str(corpus)!r}\n')
    said = fails(tmp_path / "home", "run", str(config), "--direct", code=3)
    assert "sent_emo.csv" in said
    assert f"dialoguellm check {config}" in said
    assert "Traceback" not in said
    assert not (tmp_path / "home" / "workspace").exists()
    said = fails(tmp_path / "home", "run", str(config), "--direct", "--no-check", code=1)
    assert "sent_emo.csv" in said


def test_a_second_run_names_the_holder(tmp_path: Path) -> None:
    config = tmp_path / "good.toml"
    config.write_text(GOOD)
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    arguments = ("run", str(config), "--direct", "-w", str(workspace))
    first = subprocess.Popen(command(home, *arguments), env=environment(home), stderr=subprocess.DEVNULL)
    try:
        while first.poll() is None and not (workspace / "locks" / "small.json").exists():
            pass
        said = fails(home, *arguments, code=1)
    finally:
        first.kill()
        first.wait()
    assert f"process {first.pid}" in said
    assert "since 20" in said


def test_readers_load_neither_prefect_nor_torch(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom flows.cli import app\n"
        "try: app(['plan', 'demo'])\nexcept SystemExit: pass\n"
        "assert not {'prefect', 'torch', 'transformers', 'cv2', 'av', 'sklearn', 'matplotlib'} & set(sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert "ingest" in found.stdout
