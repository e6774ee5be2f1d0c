from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from model.dialogue import SPLITS, Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora import emorynlp, emorynlp_json

HEADER = "Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode,Start_Time,End_Time\n"
TIMES = "00:00:03.795,00:00:05.004"
REAL = Path(os.environ.get("DIALOGUELLM_TEST_DATA", "/nonexistent")) / "emorynlp"


def read(folder: Path, *lines: str) -> list[Utterance | Rejected]:
    for split in SPLITS:
        path = folder / f"emorynlp_{split}_final.csv"
        path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return [row for row in emorynlp.read(folder) if row.utterance_id.startswith("emorynlp/train/")]


def test_scenes_are_dialogues_and_ids_repeat_between_episodes(tmp_path: Path) -> None:
    rows = read(
        tmp_path,
        f"Coffee.,['Mara Stone'],Neutral,1,4,1,15,{TIMES}",
        f"\"Yeah, right!\",\"['Jonas Field', 'Mara Stone']\",Joyful,1,2,1,15,{TIMES}",
        f"Hi!,['#ALL#'],Mad,1,2,1,2,{TIMES}",
    )
    assert [(row.utterance_id, row.turn, row.speaker) for row in rows if isinstance(row, Utterance)] == [
        ("emorynlp/train/s01_e02_c01/2", 0, "All"),
        ("emorynlp/train/s01_e15_c01/2", 0, "Jonas Field, Mara Stone"),
        ("emorynlp/train/s01_e15_c01/4", 1, "Mara Stone"),
    ]
    first = rows[0]
    assert isinstance(first, Utterance)
    assert (first.emotion, first.video, first.start_s) == ("mad", None, None)


@pytest.mark.parametrize(
    "cell",
    [
        "Mara Stone",
        "[]",
        "['']",
        "[1]",
        "{'Mara': 1}",
        "__import__('os').system('true')",
        "['a'] * 9",
        "[" * 400,
        "(" * 90 + ")" * 90,
        "['\\d']",
        "['a'",
        "['" + "a" * 2000 + "']",
        str(["x"] * 21).replace(" ", ""),
    ],
)
def test_speakers_that_are_no_list_of_names_are_rejected(tmp_path: Path, cell: str) -> None:
    quoted = cell.replace('"', '""')
    rows = read(tmp_path, f'Hi.,"{quoted}",Neutral,1,1,1,1,{TIMES}')
    assert [(row.utterance_id, row.reason) for row in rows if isinstance(row, Rejected)] == [
        ("emorynlp/train/s01_e01_c01/1", "bad_speaker")
    ]


def test_labels_of_another_corpus_are_rejected(tmp_path: Path) -> None:
    rows = read(tmp_path, f"Hi.,['Mara'],Surprise,1,1,1,1,{TIMES}")
    assert [row.reason for row in rows if isinstance(row, Rejected)] == ["unknown_label"]


def test_the_json_files_are_read_where_no_csv_file_is(tmp_path: Path) -> None:
    for path in emorynlp_json.transcripts(tmp_path).values():
        spoken = {"utterance_id": "s01_e02_c03_u004", "speakers": ["Mara"], "transcript": "Hi.", "emotion": "Mad"}
        path.write_text(json.dumps({"episodes": [{"scenes": [{"utterances": [spoken]}]}]}))
    assert emorynlp.edition(tmp_path) == "emorynlp-json"
    assert emorynlp.transcripts(tmp_path) == emorynlp_json.transcripts(tmp_path)
    assert [row.utterance_id for row in emorynlp.read(tmp_path)] == [
        f"emorynlp/{split}/s01_e02_c03/4" for split in ("train", "dev", "test")
    ]
    read(tmp_path, f"Hi.,['Mara'],Mad,1,1,1,1,{TIMES}")
    assert emorynlp.edition(tmp_path) == "emorynlp"
    assert {row.utterance_id.split("/")[2] for row in emorynlp.read(tmp_path)} == {"s01_e01_c01"}
    emorynlp.transcripts(tmp_path)["dev"].unlink()
    with pytest.raises(CorpusError, match=r"emorynlp_dev_final\.csv cannot be read"):
        list(emorynlp.read(tmp_path))


def test_a_folder_without_either_asks_for_the_csv_files(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"emorynlp_train_final\.csv cannot be read .*ingest\.folder"):
        list(emorynlp.read(tmp_path))


@pytest.mark.skipif(not REAL.is_dir(), reason="the real EmoryNLP is not here: set DIALOGUELLM_TEST_DATA")
def test_the_real_files_have_the_published_counts() -> None:
    rows = list(emorynlp.read(REAL))
    found = [row for row in rows if isinstance(row, Utterance)]
    assert len(found) == len(rows)
    assert Counter(row.split for row in found) == {"train": 7551, "dev": 954, "test": 984}
    assert len({(row.split, row.dialogue_id) for row in found}) == 659 + 89 + 79
    assert sum(row.emotion == "neutral" for row in found if row.split == "test") == 288
    assert len({row.utterance_id for row in found}) == len(found)
