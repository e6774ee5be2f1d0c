"""The command that puts a test of emotional understanding to a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playing_server import playing, says
from seceu_file import write
from typer.testing import CliRunner

from flows.cli import app
from model.errors import CorpusError, SettingsError, WorkspaceError


def ask(root: Path, *arguments: str) -> str:
    found = CliRunner().invoke(app, ["seceu", *arguments, "-w", str(root / "workspace")])
    if found.exception and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.stdout


def test_a_table_and_json_of_the_same_rows(tmp_path: Path) -> None:
    file = str(write(tmp_path / "items.json"))
    with playing(says("4, 3, 2, 2")) as server:
        asked = [file, "--server", server.url, "--model", "org/oracle", "--shuffle", "1"]
        table = ask(tmp_path, *asked)
        rows = json.loads(ask(tmp_path, *asked, "--json"))
        assert len(server.seen) == 5
    assert "5 of 5" in table
    assert "What does not pass them shows no understanding" in " ".join(table.split())
    assert (rows[0]["answered"], rows[0]["rescaled"]) == (5, 5)
    assert "adapter" not in table
    assert [row["system"] for row in rows] == ["org/oracle", "uniform", "in_order", "best_constant", "random"]
    assert rows[0]["eq"] == pytest.approx(15 * (3.0 - rows[0]["distance"]) / 0.5 + 100)


@pytest.mark.usefixtures("one_thread")
def test_an_adapter_comes_with_a_word_of_caution(tmp_path: Path, tiny_model: Path) -> None:
    from described_run import described

    described(tmp_path, tiny_model, finetune={"max_steps": 1})
    file = str(write(tmp_path / "items.json"))
    table = ask(tmp_path, file, "--run", "demo", "--examples", "0", "--max-new-tokens", "2")
    assert "An adapter that was tuned to answer with a label is not expected to answer this test" in table
    assert "0 of 5" in table


def test_what_cannot_be_asked_is_said(tmp_path: Path) -> None:
    file = str(write(tmp_path / "items.json"))
    with pytest.raises(SettingsError, match="with --server set --model"):
        ask(tmp_path, file, "--server", "http://127.0.0.1:1/v1")
    with pytest.raises(SettingsError, match="--run and --server exclude each other"):
        ask(tmp_path, file, "--server", "http://127.0.0.1:1/v1", "--run", "demo")
    with pytest.raises(SettingsError, match=r"^--server must be http") as found:
        ask(tmp_path, file, "--server", "http://user:secret@127.0.0.1/v1", "--model", "m")
    assert "secret" not in str(found.value)
    with pytest.raises(SettingsError, match="--server-key-env must be the name"):
        ask(tmp_path, file, "--server", "http://127.0.0.1:1/v1", "--model", "m", "--server-key-env", "sk-123")
    with pytest.raises(SettingsError, match="--model"):
        ask(tmp_path, file, "--server", "http://127.0.0.1:1/v1", "--model", " ")
    with pytest.raises(CorpusError, match="is not JSON"):
        ask(tmp_path, str(Path(__file__)))
    with pytest.raises(WorkspaceError, match="holds no workspace yet"):
        ask(tmp_path / "other", file, "--run", "demo")
