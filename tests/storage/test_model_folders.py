from __future__ import annotations

import hashlib
import json
import shutil
import time
from pathlib import Path

import pytest

from model.errors import WorkspaceError
from storage import model_folders
from storage.layout import Layout, open_workspace
from storage.mirror import Mirror
from storage.model_folders import fetch, kept, move, push
from storage.remote import bucket_of


@pytest.fixture
def layout(bucket: str) -> Layout:
    return open_workspace(bucket, create=True)


@pytest.fixture
def other(layout: Layout, tmp_path: Path) -> Layout:
    """The same workspace as another machine sees it."""
    mirror = Mirror(tmp_path / "elsewhere", bucket_of(layout.name))
    return Layout(mirror.root, mirror)


def fill(layout: Layout, **files: str) -> Path:
    folder = layout.model("k")
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def held(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def objects(layout: Layout) -> set[str]:
    assert layout.mirror
    return {*layout.mirror.bucket.list("models/")}


def test_another_machine_gets_the_folder_as_it_was_sent(layout: Layout, other: Layout) -> None:
    folder = fill(layout, adapter__weights="1", **{"log": "2", "same": "1"})
    assert push(layout, folder)
    assert held(fetch(other, other.model("k"))) == held(folder)
    assert len(objects(layout)) == 3  # two contents and the index
    shutil.rmtree(folder / "adapter")
    fill(layout, log="3")
    assert push(layout, folder)
    fetch(other, other.model("k"))
    assert (other.model("k") / "log").read_text() == "3"
    assert {name.rpartition("/")[2] for name in objects(layout)} == {
        "k.json",
        hashlib.sha256(b"1").hexdigest(),
        hashlib.sha256(b"3").hexdigest(),
    }


def test_what_is_being_written_is_left_out(layout: Layout, other: Layout) -> None:
    folder = fill(layout, **{"whole": "1", ".half": "2", ".step.tmp__weights": "3"})
    assert push(layout, folder)
    assert held(fetch(other, other.model("k"))) == {"whole": "1"}


@pytest.mark.parametrize("change", ["more", "gone"])
def test_a_folder_that_changes_meanwhile_is_not_said_to_be_there(
    layout: Layout, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(layout, a="1", b="2")
    real = Mirror.upload

    def upload(*args: object) -> str:
        if change == "more":
            fill(layout, c="3")
        else:
            (folder / "b").unlink(missing_ok=True)
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(Mirror, "upload", upload)
    assert not push(layout, folder)
    assert "models/k.json" not in objects(layout)


def test_a_killed_process_is_followed_by_what_had_been_sent(layout: Layout, other: Layout) -> None:
    push(layout, fill(layout, checkpoints__1="1"))
    fill(layout, checkpoints__2="2")  # not sent: the machine went
    with kept(other, other.model("k")):
        assert held(other.model("k")) == {"checkpoints/1": "1"}
        fill(other, checkpoints__3="3")
    with kept(layout, layout.model("k")):
        assert held(layout.model("k")) == {"checkpoints/1": "1", "checkpoints/3": "3"}


def test_while_it_works_a_stage_is_kept(layout: Layout, other: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_folders, "LOOK_EVERY_S", 0.01)

    def work() -> None:
        with kept(layout, layout.model("k")):
            fill(layout, checkpoints__1="1")
            until = time.monotonic() + 60
            while "models/k.json" not in objects(other) and time.monotonic() < until:
                time.sleep(0.05)
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError):
        work()
    assert held(fetch(other, other.model("k"))) == {"checkpoints/1": "1"}


def test_a_folder_is_set_aside_whole(layout: Layout, other: Layout) -> None:
    push(layout, fill(layout, a="1"))
    move(other, other.model("k"), other.model("k.before"))
    assert not held(other.model("k"))
    assert held(fetch(layout, layout.model("k.before"))) == {"a": "1"}
    assert not [name for name in objects(layout) if "/k/" in name or name.endswith("/k.json")]
    move(other, other.model("none"), other.model("none.before"))
    assert not other.model("none.before").exists()


def test_a_damaged_or_missing_object_is_not_taken(layout: Layout, other: Layout) -> None:
    push(layout, fill(layout, a="1"))
    assert layout.mirror
    layout.mirror.bucket.put(f"models/k/{hashlib.sha256(b'1').hexdigest()}", b"2")
    with pytest.raises(WorkspaceError, match="changes while it is read"):
        fetch(other, other.model("k"))
    assert not held(other.model("k"))


@pytest.mark.parametrize("text", ["", "[]", '{"files": {"../../evil": "1"}}', '{"files": {"/evil": "1"}}'])
def test_a_damaged_index_is_said_so(layout: Layout, text: str) -> None:
    assert layout.mirror
    layout.mirror.bucket.put("models/k.json", text.encode())
    with pytest.raises(WorkspaceError, match=r"models/k\.json is damaged"):
        fetch(layout, layout.model("k"))


def test_a_workspace_in_a_folder_keeps_its_own(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with kept(layout, layout.model("k")):
        folder = fill(layout, a="1")
    assert fetch(layout, folder) == folder
    assert not push(layout, folder)
    move(layout, folder, layout.model("j"))
    assert held(layout.model("j")) == {"a": "1"}
    assert json.dumps(sorted(path.name for path in folder.parent.iterdir())) == '["j"]'


def test_what_a_stage_left_is_listed_and_compared(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    folder = fill(layout, adapter__weights="1", log="2", checkpoints__step="3", **{".half": "4"})
    listed = model_folders.listed(layout, folder)
    assert set(listed) == {"models/k/adapter/weights", "models/k/log"}
    model_folders.check(layout, listed)
    (folder / "log").unlink()
    fill(layout, log="3")
    with pytest.raises(WorkspaceError, match=r"log is damaged .*`dialoguellm fsck --repair`"):
        model_folders.check(layout, listed)
    (folder / "log").unlink()
    with pytest.raises(WorkspaceError, match="log cannot be read"):
        model_folders.check(layout, listed)
