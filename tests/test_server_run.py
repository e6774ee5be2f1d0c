"""Captions from a server, as a person runs them: rows, rejects, keys, and no trace of the server's key anywhere."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from pipeline_runs import command, dialoguellm, tables
from playing_server import Reply, Seen, lists, playing, refusing_port, says
from prefect_server import Server, as_client
from video_clips import three_shots

KEY = "sk-very-secret-key-123"
CONFIG = """
name = "served"
workspace = {workspace!r}
model = {model!r}

[ingest]
corpus = "table"
file = {table!r}
videos = {videos!r}
labels = "meld"

[captions]
server = {server!r}
model = "org/seer"
max_rejects = 0.5
"""


@pytest.fixture
def config(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    rows = ["split,dialogue_id,turn,speaker,text,emotion,video"]
    for split in ("train", "dev", "test"):
        three_shots(corpus / f"{split}.mp4")
        rows.append(f"{split},{split},0,Ana,Hello.,joy,{split}.mp4")
    (corpus / "lines.csv").write_text("\n".join(rows) + "\n")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    path = tmp_path / "served.toml"
    named = {"workspace": str(tmp_path / "workspace"), "table": str(corpus / "lines.csv"), "videos": str(corpus)}
    path.write_text(CONFIG.format(**named, model=str(tiny_model), server=f"http://127.0.0.1:{refusing_port()}/v1"))
    return path


def test_a_run_with_a_server(config: Path, tmp_path: Path) -> None:
    home, workspace = tmp_path / "home", tmp_path / "workspace"
    run = ("run", str(config), "--direct", "--until", "captions")
    assert "nothing was run" in dialoguellm(home, *run, code=3)
    assert not workspace.exists()

    def play(request: Seen, _number: int) -> Reply:
        if request.method == "GET":
            return lists("org/seer")
        asked = sum(seen.method == "POST" for seen in server.seen)
        return says("Coloured boxes.", usage={"completion_tokens": 4}) if asked < 3 else Reply(b"<html>", 200)

    with playing(play=play) as server:
        here = ("--set", f"captions.server={server.url}")
        dialoguellm(home, *run, *here)
        asked = len(server.seen)
        dialoguellm(home, *run, *here, "--set", "captions.server_requests=1")
        assert not [seen for seen in server.seen[asked:] if seen.method == "POST"], "the same captions, made again"
    assert {seen.headers["Authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    found = tables(workspace)
    assert [(row["text"], row["revision"], row["n_tokens"]) for row in found["captions"]] == [
        ("Coloured boxes.", "server:org/seer", 4)
    ] * 2
    rejects = json.loads(dialoguellm(home, "rejects", "served", "-w", str(workspace), "--json"))
    assert [(row["stage"], row["reason"]) for row in rejects] == [("captions", "bad_answer")]
    written = [path for folder in (workspace, home) for path in folder.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert not [path for path in written if KEY.encode() in path.read_bytes()]


def test_a_key_out_of_a_secret_block_is_nowhere_else(
    config: Path, tmp_path: Path, prefect_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with as_client(prefect_server):
        from prefect.blocks.system import Secret

        Secret(value=KEY).save("key-of-the-seer", overwrite=True)
    text = config.read_text().replace('model = "org/seer"', 'model = "org/seer"\nserver_key_block = "key-of-the-seer"')
    config.write_text(text)

    def play(request: Seen, _number: int) -> Reply:
        if request.method == "GET":
            return lists("org/seer")
        asked = sum(seen.method == "POST" for seen in server.seen)
        told = json.dumps({"error": {"message": f"I was sent {request.headers['Authorization']}"}}).encode()
        return says("Coloured boxes.") if asked < 3 else Reply(told, 400)

    with playing(play=play) as server:
        asked = ("run", str(config), "--until", "captions", "--set", f"captions.server={server.url}")
        said = subprocess.run(
            command(tmp_path / "home", *asked),
            env=prefect_server.environment(),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
    assert said.returncode == 0, said.stderr
    assert {seen.headers["Authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    assert len(tables(tmp_path / "workspace")["captions"]) == 2
    rejects = dialoguellm(tmp_path / "home", "rejects", "served", "-w", str(tmp_path / "workspace"), "--json")
    (rejected,) = json.loads(rejects)
    assert "I was sent Bearer ***" in rejected["detail"], "what the server was sent is told without the key"
    assert KEY not in said.stdout + said.stderr
    folders = (tmp_path / "workspace", prefect_server.home)  # with Prefect's database: parameters, logs, artifacts
    written = {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}
    assert [path for path, content in written.items() if KEY.encode() in content] == []
    assert any(b"served.toml" in content for path, content in written.items() if "prefect.db" in path.name)
