from __future__ import annotations

from pathlib import Path

import pytest

from storage.mirror import COPIES, Mirror, identity, mirror_of
from storage.remote import bucket_of


@pytest.fixture
def here(bucket: str, tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "here", bucket_of(bucket))


@pytest.fixture
def there(bucket: str, tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "there", bucket_of(bucket))


def write(mirror: Mirror, name: str, text: bytes) -> None:
    mirror.bucket.put(name, text)


def read(mirror: Mirror, name: str) -> bytes | None:
    path = mirror.fetch(mirror.root / name)
    return path.read_bytes() if path.exists() else None


def test_a_copy_is_what_the_bucket_has_now(here: Mirror, there: Mirror) -> None:
    for text in (b"one", b"two"):
        there.upload(there.root / "runs/a.json", text)
        assert read(here, "runs/a.json") == text
    there.delete(there.root / "runs/a.json")
    assert read(here, "runs/a.json") is None


def test_what_did_not_change_is_not_fetched_again(here: Mirror) -> None:
    write(here, "a", b"one")
    first = identity(here.fetch(here.root / "a"))
    assert identity(here.fetch(here.root / "a")) == first
    write(here, "a", b"two")
    assert identity(here.fetch(here.root / "a")) != first


def test_a_copy_that_something_else_replaced_is_fetched_again(here: Mirror) -> None:
    write(here, "a", b"one")
    path = here.fetch(here.root / "a")
    path.unlink()
    path.write_bytes(b"two")
    assert here.etag(path) is None
    assert read(here, "a") == b"one"
    (here.root / ".etags" / "a").write_bytes(b"half a no")
    assert read(here, "a") == b"one"


def test_refreshing_fetches_records_and_knows_sizes(here: Mirror, there: Mirror) -> None:
    for name in ("lake/t/k/part-00000.json", "lake/t/k/part-00000.parquet", "lake/t/kk/part-00000.json"):
        write(there, name, b"{}")
    folder = here.root / "lake/t/k"
    here.refresh(folder)
    assert [path.name for path in folder.iterdir()] == ["part-00000.json"]
    assert not (here.root / "lake/t/kk").exists()
    assert here.size(folder / "part-00000.parquet") == 2
    assert here.size(folder / "part-00001.parquet") is None
    assert here.size(here.root / "lake/t/kk/part-00000.json") == 2  # not listed: it is asked for
    there.delete(there.root / "lake/t/k/part-00000.json")
    there.delete(there.root / "lake/t/k/part-00000.parquet")
    here.refresh(folder)
    assert not [*folder.iterdir()]
    assert here.size(folder / "part-00000.parquet") is None


def test_one_file_removed_while_many_are_fetched_is_just_not_there(here: Mirror) -> None:
    write(here, "a", b"one")
    here.fetch(here.root / "a")
    here.bucket.delete("a")
    here._download(here.root / "a")
    assert not (here.root / "a").exists()
    assert [path.name for path in here.root.iterdir()] == [".etags"]


def test_a_guard_forbids_writing(here: Mirror) -> None:
    write(here, "a", b"one")

    def forbid() -> None:
        raise PermissionError

    here.guards.append(forbid)
    with pytest.raises(PermissionError):
        here.upload(here.root / "a", b"two")
    with pytest.raises(PermissionError):
        here.delete(here.root / "a")
    assert read(here, "a") == b"one"


def test_where_copies_lie(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mirror_of(bucket).root.parent == tmp_path / "copies"
    assert mirror_of(bucket) is mirror_of(bucket)
    monkeypatch.delenv(COPIES)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert mirror_of(f"{bucket}/other").root.parent == tmp_path / "xdg" / "dialoguellm"
    assert mirror_of(f"{bucket}/other").root != mirror_of(f"{bucket}/another").root
