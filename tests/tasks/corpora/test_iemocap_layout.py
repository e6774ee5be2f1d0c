from __future__ import annotations

import os
from pathlib import Path

import pytest
from iemocap_release import write_dialogue, write_release

from model.errors import CorpusError
from tasks.corpora.iemocap_layout import dialogues, transcripts


def test_test_is_session_five_and_dev_every_sixth_of_the_others(tmp_path: Path) -> None:
    found = dialogues(write_release(tmp_path), "iemocap")
    splits = {
        split: [dialogue.name for dialogue in found if dialogue.split == split] for split in ("train", "dev", "test")
    }
    assert [*splits] == [*dict.fromkeys(dialogue.split for dialogue in found)]
    assert splits["dev"] == ["Ses02F_script01_1", "Ses04F_script01_1"]
    assert splits["test"] == ["Ses05M_impro01", "Ses05M_impro05a", "Ses05M_script01_1"]
    assert len(splits["train"]) == 10


def test_as_many_dialogues_as_the_release_has_are_split_as_documented(tmp_path: Path) -> None:
    for session, count in zip(range(1, 6), (28, 30, 32, 30, 31), strict=True):
        for at in range(count):
            write_dialogue(tmp_path, f"Ses{session:02d}F_impro{at:02d}", "", "")
    splits = [dialogue.split for dialogue in dialogues(tmp_path, "iemocap")]
    assert [splits.count(split) for split in ("train", "dev", "test")] == [100, 20, 31]


def test_every_file_is_listed_by_its_own_path(tmp_path: Path) -> None:
    found = transcripts(write_release(tmp_path))
    assert len(found) == 5 * 3 * 2
    assert found["Session1/dialog/EmoEvaluation/Ses01M_impro01.txt"].is_file()
    assert all(tmp_path / name == path for name, path in found.items())


def test_missing_folders_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"ingest\.folder: .*Session1.*No such file.*IEMOCAP_full_release"):
        transcripts(tmp_path / "none")
    release = write_release(tmp_path)
    path = release / "Session3" / "dialog" / "transcriptions" / "Ses03M_impro01.txt"
    path.unlink()
    with pytest.raises(CorpusError, match=r"Session3.*Ses03M_impro01\.txt is not in both"):
        transcripts(release)
    path.mkdir()
    with pytest.raises(CorpusError, match=r"Ses03M_impro01\.txt is not a regular file"):
        transcripts(release)
    path.rmdir()
    os.mkfifo(path)
    with pytest.raises(CorpusError, match=r"Ses03M_impro01\.txt is not a regular file"):
        transcripts(release)


@pytest.mark.parametrize(
    "name", ["Ses05F_impro01", "notes", "Ses01F_impro01 (copy)", "Ses01F_impro01\n", "Ses01F_\udcff"]
)
def test_a_file_that_could_land_in_the_wrong_split_is_refused(tmp_path: Path, name: str) -> None:
    release = write_release(tmp_path)
    (release / "Session1" / "dialog" / "EmoEvaluation" / f"{name}.txt").write_text("")
    with pytest.raises(CorpusError, match="is no dialogue of session 1; move it away"):
        transcripts(release)


def test_an_empty_session_is_refused(tmp_path: Path) -> None:
    release = write_release(tmp_path)
    for path in (release / "Session4" / "dialog" / "EmoEvaluation").glob("Ses*.txt"):
        path.unlink()
    with pytest.raises(CorpusError, match=r"Session4.*holds no \.txt file"):
        transcripts(release)
