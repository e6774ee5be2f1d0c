"""`dialoguellm gallery`: served in a real process, or written as a folder; what it refuses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from shown_run import LINES, described
from typer.testing import CliRunner

from flows.cli import app
from tasks.plan import Run

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return described(tmp_path_factory.mktemp("gallery"), LINES)


def test_it_serves_what_it_prints_until_it_is_interrupted(run: Run) -> None:
    command = [sys.executable, "-m", "flows.cli", "gallery", run.run_id, "-w", str(run.layout.root)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env, cwd=run.layout.root)
    try:
        assert process.stdout is not None
        address = re.fullmatch(r"(http://127\.0\.0\.1:\d+/)\?token=\S+", process.stdout.readline().strip())
        assert address is not None
        cookies = urllib.request.HTTPCookieProcessor(CookieJar())
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies)
        with opener.open(address[0], timeout=60) as answer:
            assert b"demo/test/0" in answer.read()
        with opener.open(address[1] + "picture?id=demo/test/0/0&rank=1&size=large", timeout=60) as answer:
            assert answer.headers["content-type"] == "image/jpeg"
            assert answer.read(2) == b"\xff\xd8"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) in (0, 130)
    finally:
        process.kill()
        process.communicate()


def test_it_writes_a_folder(run: Run, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        app, ["gallery", "demo", "-w", str(run.layout.root), "--export", str(tmp_path / "out"), "--split", "dev"]
    )
    assert done.exit_code == 0, done.output
    assert "pages in" in done.output
    assert (tmp_path / "out" / "index.html").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--split", "dev"], "goes with --export"),
        (["--split", "tests", "--export", "out"], "the splits are"),
        (["--export", "/"], "is there already"),
        (["--export", "nowhere/out"], "has no folder to be in"),
        (["--against", "nobody"], "has no run 'nobody'"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Run, options: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["gallery", "demo", "-w", str(run.layout.root), *options])
    assert done.exit_code != 0
    assert said in str(done.exception) + done.output
