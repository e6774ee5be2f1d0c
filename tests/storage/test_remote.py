from __future__ import annotations

import sys
from pathlib import Path

import pytest

from model.errors import WorkspaceError
from storage.remote import Bucket, Conflict, bucket_of


def test_objects_are_written_read_listed_and_removed(bucket: str, tmp_path: Path) -> None:
    found = bucket_of(bucket)
    assert (found.head("a"), found.read("a"), found.download("a", tmp_path / "a"), found.list("")) == (*[None] * 3, {})
    assert not (tmp_path / "a").exists()
    (tmp_path / "source").write_bytes(b"rows")
    etag = found.put("lake/a", tmp_path / "source")
    found.put("lake/b", b"more")
    assert found.read("lake/a") == (b"rows", found.head("lake/a"))
    about = found.download("lake/a", tmp_path / "a")
    assert about
    assert (about.etag, about.size) == (etag, 4)
    assert (tmp_path / "a").read_bytes() == b"rows"
    assert [*found.list("lake/")] == ["lake/a", "lake/b"]
    found.delete("lake/a")
    found.delete("lake/a")
    assert [*found.list("")] == ["lake/b"]


def test_of_two_that_write_under_a_condition_one_gets_it(bucket: str) -> None:
    found = bucket_of(bucket)
    first = found.put("lock", b"1", absent=True)
    with pytest.raises(Conflict):
        found.put("lock", b"2", absent=True)
    second = found.put("lock", b"3", match=first)
    with pytest.raises(Conflict):
        found.put("lock", b"4", match=first)
    with pytest.raises(Conflict):
        found.put("gone", b"4", match=first)
    assert found.read("lock") == (b"3", found.head("lock"))
    assert second != first


def test_an_object_has_an_age_by_the_servers_clock(bucket: str) -> None:
    found = bucket_of(bucket)
    found.put("a", b"1")
    about = found.head("a")
    assert about
    assert 0 <= about.age < 60


def test_a_bucket_that_is_not_there_is_said_so(bucket: str) -> None:  # noqa: ARG001
    with pytest.raises(WorkspaceError, match=r"s3://no-such-bucket/x/: there is no such bucket"):
        bucket_of("s3://no-such-bucket/x").list("")
    with pytest.raises(WorkspaceError, match="there is no such bucket"):
        bucket_of("s3://no-such-bucket/x").put("a", b"")


def test_a_server_out_of_reach_is_a_fault_of_the_machine(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(ConnectionError, match="s3://lab/x/a cannot be reached"):
        Bucket("lab", "x/").read("a")
    assert bucket


def test_without_keys_or_boto3_it_is_said_what_to_do(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(WorkspaceError, match=r"no keys: set AWS_ACCESS_KEY_ID"):
        Bucket("lab", "x/").read("a")
    for name in ("boto3", "botocore", "botocore.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(WorkspaceError, match=r"pip install 'dialoguellm\[s3\]'"):
        Bucket("lab", "x/").read("a")
    assert bucket


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://lab", ("lab", "")),
        ("s3://lab/", ("lab", "")),
        ("s3:/lab/a b/c", ("lab", "a b/c/")),  # what a Path leaves of it
        ("s3://lab/a/", ("lab", "a/")),
    ],
)
def test_urls(url: str, expected: tuple[str, str]) -> None:
    assert (bucket_of(url).bucket, bucket_of(url).prefix) == expected


@pytest.mark.parametrize(
    "url", ["s3://", "s3:///x", "s3://L", "s3://lab/../x", "s3://lab/a?b", "s3://lab//a", "s3://a@b/c"]
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(WorkspaceError, match="cannot be a workspace"):
        bucket_of(url)
