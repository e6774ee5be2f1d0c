"""Opening a workspace: made, found, refused."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from model.errors import WorkspaceError, WorkspaceTooNew
from storage.layout import FORMAT, Layout, at, open_workspace


def test_a_new_workspace_is_made_once(tmp_path: Path) -> None:
    made = open_workspace(tmp_path / "a" / "b", create=True)
    assert json.loads(made.version_file.read_text()) == {"format": FORMAT}
    before = made.version_file.stat().st_mtime_ns
    assert open_workspace(tmp_path / "a" / "b", create=True) == open_workspace(tmp_path / "a" / "b") == made
    assert made.version_file.stat().st_mtime_ns == before


def test_a_missing_workspace_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"holds no workspace yet.*dialoguellm run CONFIG.*--workspace"):
        open_workspace(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_newer_workspace_is_refused(tmp_path: Path) -> None:
    layout = open_workspace(tmp_path, create=True)
    layout.version_file.write_text(json.dumps({"format": FORMAT + 1}))
    for create in (False, True):
        with pytest.raises(WorkspaceTooNew, match=f"format {FORMAT + 1}.*update dialoguellm"):
            open_workspace(tmp_path, create=create)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"1",
        b"null",
        b"{}",
        b'{"format": null}',
        b'{"format": "x"}',
        b'{"format": Infinity}',
        b"\xff\xfe",
    ],
)
def test_a_damaged_version_file_is_named(tmp_path: Path, text: bytes) -> None:
    layout = open_workspace(tmp_path, create=True)
    layout.version_file.write_bytes(text)
    with pytest.raises(WorkspaceError, match=r"workspace\.json is damaged: restore it with \{\"format\": 1\}"):
        open_workspace(tmp_path)


def test_a_folder_in_place_of_the_version_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "workspace.json").mkdir()
    with pytest.raises(WorkspaceError, match=r"workspace\.json cannot be read"):
        open_workspace(tmp_path, create=True)


@pytest.mark.parametrize("inside", ["", "deeper/down"])
def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path, inside: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WorkspaceError, match=r"cannot be made \(.*choose another folder with --workspace"):
        open_workspace(tmp_path / "file" / inside, create=True)
    assert (tmp_path / "file").read_text() == ""


def test_a_workspace_that_cannot_be_written_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = open_workspace(tmp_path, create=True)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, whom nothing refuses
    assert open_workspace(tmp_path) == layout
    with pytest.raises(WorkspaceError, match="cannot be written"):
        open_workspace(tmp_path, create=True)


@pytest.mark.parametrize("path", ["~nobody-has-this-name/x", "a\0b", "why?/workspace"])
def test_a_path_that_makes_no_sense_is_refused(path: str) -> None:
    with pytest.raises(WorkspaceError, match="cannot be a workspace"):
        open_workspace(Path(path), create=True)


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(WorkspaceError):
        open_workspace(tmp_path / "a", create=True)


def test_home_and_relative_paths_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert at(Path("~/work")).root == at(Path("x/../work")).root == tmp_path.resolve() / "work"


def test_every_path_lies_in_the_workspace_and_is_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    paths = [
        layout.version_file,
        layout.cache,
        layout.database,
        *(layout.part(table, "k", shard) for table in ("utterances", "rejects") for shard in (0, 100_000)),
        layout.manifest("utterances", "k", 0),
        layout.failure("utterances", "k", 0),
        layout.shard_list("k"),
        layout.model("k"),
        layout.run_file("r"),
        layout.attempts("r"),
        layout.report("r"),
        layout.lock("r"),
        layout.log("r"),
    ]
    assert len({*paths}) == len(paths)
    assert all(path.is_relative_to(tmp_path) and path != tmp_path for path in paths)
