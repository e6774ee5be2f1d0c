from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora import emorynlp_json
from tasks.corpora.published import PUBLISHED

GOOD = {"utterance_id": "s01_e02_c03_u004", "speakers": ["Mara Stone"], "transcript": "Hi.", "emotion": "Joyful"}
REAL = Path(os.environ.get("DIALOGUELLM_TEST_DATA", "/nonexistent")) / "emorynlp-json"


def write(folder: Path, value: Any) -> Path:
    """Three files, that of train with ``value``."""
    for split, path in emorynlp_json.transcripts(folder).items():
        scenes = [{"scene_id": "s01_e02_c03", "utterances": [{**GOOD, "tokens": [["Hi", "."]]}]}]
        path.write_text(
            json.dumps(value if split == "train" else {"season_id": split, "episodes": [{"scenes": scenes}]})
        )
    return folder


def train(folder: Path, *utterances: Any) -> list[Utterance | Rejected]:
    write(folder, {"episodes": [{"scenes": [{"utterances": list(utterances)}]}]})
    return [row for row in emorynlp_json.read(folder) if "/train/" in row.utterance_id]


def test_an_utterance_has_the_id_that_the_csv_file_gives_it(tmp_path: Path) -> None:
    (row,) = train(tmp_path, {**GOOD, "speakers": ["Mara Stone", "#ALL#"], "transcript": " I\x92m  here "})
    assert row == Utterance(
        utterance_id="emorynlp/train/s01_e02_c03/4",
        corpus="emorynlp",
        split="train",
        dialogue_id="s01_e02_c03",
        turn=0,
        source_utterance_id="4",
        speaker="Mara Stone, All",
        text="I’m here",
        emotion="joyful",
    )


def test_order_is_by_id_and_turns_have_no_gap(tmp_path: Path) -> None:
    names = ["s01_e10_c01_u001", "s01_e02_c03_u012", "s01_e02_c03_u004"]
    rows = train(tmp_path, *({**GOOD, "utterance_id": name} for name in names))
    assert [(row.utterance_id, row.turn) for row in rows if isinstance(row, Utterance)] == [
        ("emorynlp/train/s01_e02_c03/4", 0),
        ("emorynlp/train/s01_e02_c03/12", 1),
        ("emorynlp/train/s01_e10_c01/1", 0),
    ]


@pytest.mark.parametrize(
    ("change", "reason", "identity"),
    [
        ({"utterance_id": 4}, "bad_id", "row/2"),
        ({"utterance_id": "s01_e02_c03"}, "bad_id", "row/2"),
        ({"utterance_id": "s٠١_e02_c03_u001"}, "bad_id", "row/2"),
        ({"transcript": None}, "bad_row", "s01_e02_c03/4"),
        ({"transcript": ["Hi"]}, "bad_row", "s01_e02_c03/4"),
        ({"emotion": 3}, "bad_row", "s01_e02_c03/4"),
        ({"emotion": "Surprise"}, "unknown_label", "s01_e02_c03/4"),
        ({"transcript": "a" * 10_001}, "text_too_long", "s01_e02_c03/4"),
        ({"speakers": "Mara"}, "bad_speaker", "s01_e02_c03/4"),
        ({"speakers": []}, "bad_speaker", "s01_e02_c03/4"),
        ({"speakers": [None]}, "bad_speaker", "s01_e02_c03/4"),
        ({"speakers": [" "]}, "bad_speaker", "s01_e02_c03/4"),
        ({"speakers": ["x"] * 21}, "bad_speaker", "s01_e02_c03/4"),
    ],
)
def test_an_utterance_of_another_form_is_rejected_alone(
    tmp_path: Path, change: dict[str, Any], reason: str, identity: str
) -> None:
    kept, reject = train(tmp_path, {**GOOD, "utterance_id": "s09_e09_c09_u001"}, {**GOOD, **change})
    assert isinstance(kept, Utterance)
    assert isinstance(reject, Rejected)
    assert (reject.reason, reject.utterance_id) == (reason, f"emorynlp/train/{identity}")
    assert reject.detail.startswith("emotion-detection-trn.json, episode 1, scene 1, utterance 2: ")
    assert len(reject.detail) < 200


def test_what_is_no_episode_scene_or_utterance_is_rejected_by_its_place(tmp_path: Path) -> None:
    write(tmp_path, {"episodes": [3, {"scenes": [None, {"utterances": {}}, {"utterances": ["Hi.", GOOD]}]}, {}]})
    rows = [row for row in emorynlp_json.read(tmp_path) if "/train/" in row.utterance_id]
    assert [(row.utterance_id, row.detail) for row in rows if isinstance(row, Rejected)] == [
        (f"emorynlp/train/row/{number}", f"emotion-detection-trn.json, {place} is not of the published form")
        for number, place in [
            (1, "episode 1: episode"),
            (2, "episode 2, scene 1: scene"),
            (3, "episode 2, scene 2: scene"),
            (4, "episode 2, scene 3, utterance 1: utterance"),
            (6, "episode 3: episode"),
        ]
    ]
    assert isinstance(rows[0], Utterance)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no readable JSON"),
        (b"[" * 100_000, "is no readable JSON"),
        (b'{"episodes": ' + b"1" * 10_000 + b"}", "is no readable JSON"),
        (bytes(range(256)), "is no readable JSON"),
        (b"[]", "has no list of episodes"),
        (b'{"episodes": []}', "has no list of episodes"),
        (b'{"episodes": {"a": 1}}', "has no list of episodes"),
    ],
)
def test_a_file_of_another_form_is_an_error_that_names_it(tmp_path: Path, content: bytes, message: str) -> None:
    emorynlp_json.transcripts(write(tmp_path, {}))["train"].write_bytes(content)
    with pytest.raises(CorpusError, match=rf"emotion-detection-trn\.json {message}"):
        list(emorynlp_json.read(tmp_path))


def test_a_missing_and_an_endless_file(tmp_path: Path) -> None:
    path = emorynlp_json.transcripts(write(tmp_path, {}))["train"]
    with path.open("wb") as file:
        file.truncate(emorynlp_json.MAX_BYTES + 1)
    with pytest.raises(CorpusError, match="is larger than 64 MiB"):
        list(emorynlp_json.read(tmp_path))
    path.unlink()
    with pytest.raises(CorpusError, match=r"trn\.json cannot be read .*ingest\.folder"):
        list(emorynlp_json.read(tmp_path))


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.just(GOOD)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["scenes", "utterances", *GOOD]), inner, max_size=3),
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_any_json_gives_rows(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.mktemp("emorynlp")
    write(folder, {"episodes": [value]})
    rows = list(emorynlp_json.read(folder))
    assert all(row.utterance_id.startswith("emorynlp/") for row in rows)
    assert sum("/train/" not in row.utterance_id for row in rows) == 2


@pytest.mark.skipif(not REAL.is_dir(), reason="the real EmoryNLP is not here: set DIALOGUELLM_TEST_DATA")
def test_the_real_files_have_the_published_counts() -> None:
    rows = list(emorynlp_json.read(REAL))
    found = [row for row in rows if isinstance(row, Utterance)]
    assert len(found) == len(rows)
    for split, claim in PUBLISHED["emorynlp-json"].items():
        mine = [row for row in found if row.split == split]
        assert Counter(row.emotion for row in mine) == claim.labels
        assert len({row.dialogue_id for row in mine}) == claim.dialogues
