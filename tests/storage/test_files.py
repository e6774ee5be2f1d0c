from __future__ import annotations

from pathlib import Path

import pytest

from storage import files, sealed
from storage.layout import Layout, open_workspace
from storage.mirror import Mirror
from storage.remote import bucket_of


@pytest.fixture
def layout(bucket: str) -> Layout:
    return open_workspace(Path(bucket), create=True)


@pytest.fixture
def other(bucket: str, layout: Layout, tmp_path: Path) -> Layout:
    """The same workspace as another machine sees it."""
    assert layout.mirror
    return Layout(tmp_path / "elsewhere", Mirror(tmp_path / "elsewhere", bucket_of(bucket)))


def seen(layout: Layout, name: str) -> str | None:
    path = files.local(layout, layout.root / name)
    return path.read_text() if path.exists() else None


def test_what_one_machine_writes_another_reads(layout: Layout, other: Layout) -> None:
    with files.replacing(layout, layout.root / "a.txt") as temporary:
        temporary.write_text("one")
    assert seen(other, "a.txt") == seen(layout, "a.txt") == "one"
    files.write_json(other, other.root / "b.json", {"a": 1})
    assert seen(layout, "b.json") == seen(other, "b.json") == sealed.dumps({"a": 1}).decode()
    files.unlink(other, other.root / "a.txt")
    assert seen(layout, "a.txt") is None


def test_a_write_that_fails_leaves_what_was_there(layout: Layout, other: Layout) -> None:
    files.write_json(layout, layout.root / "a.json", 1)
    with pytest.raises(TypeError):
        files.write_json(layout, layout.root / "a.json", {(): 1})
    assert seen(other, "a.json") == seen(layout, "a.json") == "1\n"


def test_a_machine_that_stops_between_bucket_and_copy_reads_the_bucket(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write_json(layout, layout.root / "a.json", 1)
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        files.write_json(layout, layout.root / "a.json", 2)
    monkeypatch.undo()
    assert (layout.root / "a.json").read_text() == "1\n"
    assert seen(layout, "a.json") == "2\n"


def test_many_at_a_time_sizes_and_patterns(layout: Layout, other: Layout) -> None:
    names = [f"lake/t/k/part-{number:05d}.parquet" for number in range(20)]
    for name in names:
        with files.replacing(layout, layout.root / name) as temporary:
            temporary.write_text(name)
    files.fetch(other, (other.root / name for name in names))
    assert [(other.root / name).read_text() for name in names] == names
    files.refresh(other, other.folder("t", "k"))
    assert {files.size(other, other.root / name) for name in names} == {len(names[0])}
    assert files.holds(other, other.folder("t", "k"), "part-*.parquet")
    assert not files.holds(other, other.folder("t", "j"), "part-*.parquet")


def test_files_that_came_about_otherwise_are_sent(layout: Layout, other: Layout) -> None:
    folder = layout.report("run")
    folder.mkdir(parents=True)
    (folder / "index.html").write_text("<p>")
    (folder / ".index.html.tmp").write_text("half")
    files.send(layout, folder)
    assert seen(other, "reports/run/index.html") == "<p>"
    assert layout.mirror
    assert [*layout.mirror.bucket.list("reports/")] == ["reports/run/index.html"]


def test_a_folder_is_read_and_written_as_it_is(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    with files.replacing(layout, layout.folder("t", "k") / "part-00000.parquet") as temporary:
        temporary.write_text("rows")
    path = files.local(layout, layout.folder("t", "k") / "part-00000.parquet")
    assert files.size(layout, path) == 4
    assert files.holds(layout, path.parent, "part-*")
    files.fetch(layout, [path])
    files.refresh(layout, path.parent)
    files.send(layout, path.parent)
    assert [item.name for item in path.parent.iterdir()] == [path.name]
    files.unlink(layout, path)
    files.unlink(layout, path)
    assert files.size(layout, path) is None
    assert files.size(layout, path / "below") is None
