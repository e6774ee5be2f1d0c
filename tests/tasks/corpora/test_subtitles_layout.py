from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.errors import CorpusError
from tasks.corpora import subtitles_layout
from tasks.corpora.subtitles_layout import MAX_BYTES, dialogues, read, transcripts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = tmp_path / "corpus"
    for split in ("train", "dev", "test"):
        (corpus / split).mkdir(parents=True)
        (corpus / split / "b.srt").write_text("")
    return corpus


def test_a_file_is_a_dialogue_by_split_and_name(folder: Path) -> None:
    (folder / "train" / "a scene.VTT").write_text("")
    for other in ("notes.txt", "._b.srt", "b.mp4"):
        (folder / "train" / other).write_text("")
    (folder / "train" / "more.srt").mkdir()
    found = [(item.split, item.name, item.path.name, item.video) for item in dialogues(folder)]
    assert found == [
        ("train", "a scene", "a scene.VTT", None),
        ("train", "b", "b.srt", None),
        ("dev", "b", "b.srt", None),
        ("test", "b", "b.srt", None),
    ]
    assert list(transcripts(folder)) == ["train/a scene.VTT", "train/b.srt", "dev/b.srt", "test/b.srt"]


@pytest.mark.parametrize("suffix", subtitles_layout.VIDEO_SUFFIXES)
def test_the_video_has_the_same_name(folder: Path, suffix: str) -> None:
    (folder / "dev" / f"b{suffix}").write_text("")
    (folder / "dev" / f"c{suffix}").write_text("")
    assert [item.video for item in dialogues(folder, folder)] == [None, f"dev/b{suffix}", None]
    assert [item.video for item in dialogues(folder)] == [None, None, None]


def test_two_files_of_one_name_are_never_chosen_from(folder: Path) -> None:
    (folder / "dev" / "b.mp4").write_text("")
    (folder / "dev" / "b.MKV").write_text("")
    assert len(dialogues(folder)) == 3
    with pytest.raises(CorpusError, match=r"dev: b\.MKV, b\.mp4 have one name but for the suffix"):
        dialogues(folder, folder)
    (folder / "test" / "b.vtt").write_text("")
    with pytest.raises(CorpusError, match=r"test: b\.srt, b\.vtt have one name"):
        dialogues(folder)


@pytest.mark.parametrize("name", ["a\nb", "a\\b", " a", "a ", "a" * 101, "a\u202eb", b"a\xff"])
def test_odd_names_are_refused_and_shown_harmlessly(folder: Path, name: str | bytes) -> None:
    path = folder / "train" / f"{os.fsdecode(name)}.srt"
    path.write_text("")
    with pytest.raises(CorpusError, match="at most 100 printable characters") as caught:
        dialogues(folder)
    assert str(caught.value).isprintable()


def test_a_folder_that_is_not_there_or_empty(folder: Path) -> None:
    with pytest.raises(CorpusError, match=r"ingest\.videos: .*train cannot be read .*holds train, dev, test"):
        dialogues(folder, folder / "none")
    (folder / "dev" / "b.srt").rename(folder / "dev" / "b.txt")
    with pytest.raises(CorpusError, match=r"ingest\.folder: .*dev holds no \.srt or \.vtt file"):
        dialogues(folder)
    with pytest.raises(CorpusError, match=r"ingest\.folder: .*train cannot be read"):
        dialogues(folder / "none")


def test_links_out_of_the_folder_and_pipes_are_refused(folder: Path) -> None:
    (folder.parent / "secret.srt").write_text("")
    (folder / "test" / "in.srt").symlink_to(folder / "test" / "b.srt")
    assert len(dialogues(folder)) == 4
    link = folder / "test" / "out.srt"
    link.symlink_to(folder.parent / "secret.srt")
    with pytest.raises(CorpusError, match=r"out\.srt leads out of the folder"):
        dialogues(folder)
    link.unlink()
    os.mkfifo(link)
    with pytest.raises(CorpusError, match=r"out\.srt is not a regular file"):
        dialogues(folder)


def test_bytes_are_bounded(folder: Path) -> None:
    path = folder / "dev" / "b.srt"
    path.write_bytes(b"a" * 9)
    assert read(path) == b"a" * 9
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(CorpusError, match=r"b\.srt is larger than 4 MiB"):
        read(path)
    path.unlink()
    with pytest.raises(CorpusError, match=r"b\.srt cannot be read"):
        read(path)
