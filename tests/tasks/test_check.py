"""All findings of a configuration, and that nothing of the input makes the check itself fail."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from video_clips import black, moving, three_shots, write_clip

from flows.direct import execute
from storage.layout import open_workspace
from tasks import ingest
from tasks.captions import CaptionsSettings
from tasks.check import LEVELS, check, room
from tasks.check_text import Finding
from tasks.corpora import emorynlp_json
from tasks.corpora.leaks import SAME
from tasks.drive import Selection, drive
from tasks.ingest_settings import IngestSettings
from tasks.keyframes import KeyframesSettings
from tasks.plan import resolve
from tasks.stage import Context, StageSettings
from tasks.stages import STAGES

HEADER = "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"
REAL = Path(os.environ.get("DIALOGUELLM_TEST_DATA", "/nonexistent"))


def write_meld(folder: Path, *extra: str) -> Path:
    for split in ("train", "dev", "test"):
        rows = [f"line {n} of {split},Ross,joy,positive,0,{n}" for n in (0, 2)]
        (folder / f"{split}_sent_emo.csv").write_text(HEADER + "\n".join([*rows, *extra]) + "\n")
    return folder


def settings(**tables: Mapping[str, Any]) -> dict[str, StageSettings]:
    off = {"keyframes": {"enabled": False}, "captions": {"enabled": False}}
    return {stage.name: stage.settings.model_validate({**off, **tables}.get(stage.name, {})) for stage in STAGES}


def look(tmp_path: Path, **ingest: Any) -> list[Finding]:
    return check(settings(ingest={"corpus": "meld", "folder": tmp_path, **ingest}), tmp_path / "cache")


def test_errors_come_first_and_nothing_is_written(tmp_path: Path) -> None:
    write_meld(tmp_path, ",Ross,joy,positive,0,5", "x,Ross,rage,negative,0,6")
    before = sorted(tmp_path.iterdir())
    found = look(tmp_path)
    assert [LEVELS.index(item.level) for item in found] == sorted(LEVELS.index(item.level) for item in found)
    errors = Counter(item.check for item in found if item.level == "error")
    assert errors == {"empty_text": 3, "unknown_label": 3, "too_many_rejects": 1}
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("damage", ["gone", "empty", "header", "columns", "binary"])
def test_a_transcript_that_cannot_be_read_is_a_finding(tmp_path: Path, damage: str) -> None:
    path = write_meld(tmp_path) / "dev_sent_emo.csv"
    path.unlink()
    content = {"empty": b"", "header": HEADER.encode(), "columns": b"a,b\n1,2\n", "binary": bytes(range(256))}
    if damage in content:
        path.write_bytes(content[damage])
    (found,) = [item for item in look(tmp_path) if item.level == "error"]
    assert (found.check, found.id) == ("corpus", "meld")
    assert "dev_sent_emo.csv" in found.detail


def test_weights_that_cannot_be_had_are_told_once(tmp_path: Path) -> None:
    named = {"model": str(tmp_path / "none")}
    corpus = {"corpus": "meld", "folder": write_meld(tmp_path)}
    values = settings(ingest=corpus, instructions=named, finetune=named, evaluate=named)
    (found,) = [item for item in check(values, tmp_path) if item.level == "error"]
    assert (found.check, found.id) == ("source", "instructions")
    assert "none" in found.detail


def test_weights_are_here_or_yet_to_come(tmp_path: Path, tiny_model: Path) -> None:
    def told(model: str, **more: Any) -> list[tuple[str, str]]:
        named = {"model": model}
        values = settings(instructions=named, finetune=named, evaluate=named, **more)
        return [(item.id, item.detail) for item in check(values, tmp_path) if item.check == "weights"]

    assert told(str(tiny_model)) == [(str(tiny_model), "on this machine")]
    ((name, detail),) = told("smollm2-135m-instruct")
    assert name == "smollm2-135m-instruct"
    assert detail.startswith("not on this machine yet")
    assert ("yunet", detail) in told(str(tiny_model), keyframes={"face_model": "yunet"})


def test_a_stage_that_is_off_needs_nothing(tmp_path: Path) -> None:
    face = {"enabled": False, "face_model": str(tmp_path / "none.onnx")}
    values = settings(ingest={"corpus": "meld", "folder": write_meld(tmp_path)}, keyframes=face)
    assert [item for item in check(values, tmp_path) if item.level == "error"] == []


def test_clips_are_looked_at_where_they_are_used(tmp_path: Path) -> None:
    folder, clips = write_meld(tmp_path), tmp_path / "clips"
    (clips / "train_splits").mkdir(parents=True)
    three_shots(clips / "train_splits" / "dia0_utt0.mp4")
    (clips / "train_splits" / "._dia0_utt0.mp4").write_bytes(b"left by another system")
    corpus = {"corpus": "meld", "folder": folder, "videos": clips}

    def seen(**keyframes: Any) -> Counter[str]:
        found = check(settings(ingest=corpus, keyframes={"workers": 1, **keyframes}), tmp_path)
        return Counter(item.check for item in found if item.check in ("missing_video", "extra_files"))

    assert seen() == {"missing_video": 5, "extra_files": 1}
    assert seen(enabled=False) == {}
    corpus["dialogues"] = {"train": 1}
    assert seen() == {"missing_video": 5}
    corpus["videos"] = clips / "none"
    assert [item.check for item in check(settings(ingest=corpus), tmp_path) if item.level == "error"] == ["corpus"]


def test_melds_known_faults_are_told_and_do_not_leak_in(tmp_path: Path) -> None:
    clips = tmp_path / "output_repeated_splits_test"
    clips.mkdir()
    header = HEADER.replace("\n", ",StartTime,EndTime\n")
    lines = [
        'I\u0092m here.,Zoë,joy,positive,0,0,"00:16:16,059","00:16:18,500"',
        "No.,Zoë,anger,negative,0,3,0:16:20.5,0:16:20.7",  # ids have gaps, and times a second form
        'Oh.,Ross,joy,positive,61,0,"00:16:16,059","00:16:18,500"',
    ]
    for split in ("train", "dev", "test"):
        (tmp_path / f"{split}_sent_emo.csv").write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    for name in ("dia0_utt0", "dia61_utt0", "dia0_utt1", "dia66_utt9", "final_videos_testdia0_utt0"):
        three_shots(clips / f"{name}.mp4")
    write_clip(clips / "dia0_utt3.mp4", moving(black(64, 64), 6), rate=1)
    corpus = {"corpus": "meld", "folder": tmp_path, "videos": tmp_path}
    found = check(settings(ingest=corpus, keyframes={"workers": 1}), tmp_path / "cache")
    told = [(item.level, item.check, item.id) for item in found if "test" in item.id and item.level != "error"]
    assert ("warning", "over_long", "output_repeated_splits_test/dia0_utt3.mp4") in told
    assert ("info", "repaired_text", "meld/test") in told
    (extra,) = [item for item in found if item.check == "extra_files"]
    assert extra.detail == ("3 files that no line names: dia0_utt1.mp4, dia66_utt9.mp4, final_videos_testdia0_utt0.mp4")
    assert {item.id for item in found if item.level == "error"} == {
        f"{folder}/dia{name}.mp4"
        for folder in ("train_splits", "dev_splits_complete")
        for name in ("0_utt0", "0_utt3", "61_utt0")
    } | {"keyframes"}


def test_the_demo_is_not_drawn(tmp_path: Path) -> None:
    assert [item.check for item in check(settings(), tmp_path / "new" / "cache")] == ["weights", "demo", "disk"]
    assert list(tmp_path.iterdir()) == []


def test_a_demo_that_is_drawn_is_looked_at_as_any_corpus(tmp_path: Path, tiny_model: Path) -> None:
    corpus = {"dialogues": {"train": 1, "dev": 1, "test": 1}}
    values = settings(ingest=corpus, instructions={"model": str(tiny_model)}, keyframes={"workers": 1})
    list(ingest.run({}, values["ingest"], Context(cache=tmp_path, folder=tmp_path)))  # type: ignore[arg-type]
    before = sorted(tmp_path.rglob("*"))
    found = check(values, tmp_path)
    assert {item.check for item in found} == {"weights", "balance", "absent_label", "disk", "prompts"}
    clip = min(tmp_path.glob("demo-*/train/*.mp4"))
    clip.unlink()
    assert [item.check for item in check(values, tmp_path, stages={"ingest"}) if item.level == "error"] == []
    errors = [item.check for item in check(values, tmp_path) if item.level == "error"]
    assert errors == ["missing_video", "too_many_rejects"]
    assert [path for path in before if path != clip] == sorted(tmp_path.rglob("*"))


def test_prompts_are_counted_unless_it_must_be_quick(tmp_path: Path, tiny_model: Path) -> None:
    model = {"model": str(tiny_model)}
    values = settings(ingest={"corpus": "meld", "folder": write_meld(tmp_path)}, instructions=model)
    kinds = [[item.check for item in check(values, tmp_path, quick=quick)] for quick in (False, True)]
    assert [one.count("prompts") for one in kinds] == [3, 0]


def test_the_demo_s_captioner_is_refused_before_any_video_is_opened(tmp_path: Path) -> None:
    corpus = {"corpus": "meld", "folder": write_meld(tmp_path), "videos": tmp_path}
    named = settings(ingest=corpus, captions={"model": "demo"})
    (found,) = [item for item in check(named, tmp_path) if item.level == "error"]
    assert (found.check, found.id) == ("captioner", "captions")
    assert "knows only the drawn world" in found.detail
    assert [item for item in check(named, tmp_path, stages={"ingest", "keyframes"}) if item.level == "error"] == []
    forced = settings(ingest=corpus, captions={"model": "demo", "force": True})
    assert [item for item in check(forced, tmp_path) if item.level == "error"] == []


def test_a_finished_run_needs_no_more_disk_and_tells_of_its_captions(tmp_path: Path, tiny_model: Path) -> None:
    corpus = {"dialogues": {"train": 1, "dev": 1, "test": 1}}
    model = {"model": str(tiny_model)}
    values = settings(ingest=corpus, **dict.fromkeys(("instructions", "finetune", "evaluate"), model))
    values["keyframes"] = KeyframesSettings(workers=1)
    values["captions"] = CaptionsSettings()
    run = resolve("small", open_workspace(tmp_path, create=True), values, "small.toml")

    def told(what: str) -> list[str]:
        found = check(values, run.layout.cache, run=run)
        return [item.detail for item in found if item.check == what]

    assert "clips " in told("disk")[0]
    assert told("captions") == []
    drive(run, Selection(("ingest", "keyframes", "captions")), execute, engine="direct")
    assert "clips " not in told("disk")[0]
    assert "keyframes" not in told("disk")[0]
    assert sum("name an emotion" in line for line in told("captions")) == 2
    (disk,) = room(run, {"instructions"})
    assert disk.detail.startswith("about ")
    assert room(run, {"ingest", "keyframes", "captions"}) == []


@pytest.mark.skipif(not (REAL / "meld").is_dir(), reason="the real corpora are not here: set DIALOGUELLM_TEST_DATA")
def test_the_real_corpora() -> None:
    def counted(corpus: str) -> Counter[str]:
        values = settings(ingest={"corpus": corpus, "folder": REAL / corpus})
        return Counter(item.check for item in check(values, REAL))

    assert counted("meld") == {
        "dialogue_in_two_splits": 2,
        "published_dialogues": 1,
        "as_published": 2,
        "balance": 3,
        "repeated_line": 122,
        "weights": 1,
        "disk": 1,
        "prompts": 1,
    }
    own = {"as_published": 3, "balance": 3, "repeated_line": 86}
    assert counted("emorynlp") == {**own, "weights": 1, "disk": 1, "prompts": 1}


def test_emorynlps_json_files_have_counts_of_their_own(tmp_path: Path) -> None:
    spoken = {"utterance_id": "s01_e02_c03_u004", "speakers": ["Mara"], "transcript": "Hi.", "emotion": "Mad"}
    for path in emorynlp_json.transcripts(tmp_path).values():
        path.write_text(json.dumps({"episodes": [{"scenes": [{"utterances": [spoken]}]}]}))
    found = check(settings(ingest={"corpus": "emorynlp", "folder": tmp_path}), tmp_path / "cache")
    told = {item.id: item.detail for item in found if item.check == "published_utterances"}
    assert told["emorynlp/train"] == "utterances 1, published 9934 (-9933)"
    assert told["emorynlp/test"] == "utterances 1, published 1328 (-1327)"


def test_training_lines_that_stand_in_another_corpus_s_test_split(tmp_path: Path) -> None:
    write_meld(tmp_path)
    table = tmp_path / "other.csv"
    table.write_text(
        "split,dialogue_id,turn,speaker,text,emotion\n"
        "test,a,0,R,Line 0 of TRAIN!,anger\ntest,a,1,R,line 2 of train,anger\ntest,b,0,R,line 2 of train,anger\n"
        "train,c,0,R,line 0 of dev,anger\ntrain,c,1,R,line 2 of dev,anger\n"
    )
    mine = settings(ingest={"corpus": "meld", "folder": tmp_path})
    other = IngestSettings(corpus="table", file=table, labels="meld")
    found = [item for item in check(mine, tmp_path / "cache", others=[other]) if item.check == "leak"]
    assert [(item.level, item.id) for item in found] == [("warning", "meld/train"), ("info", "meld/train/0/2")]
    assert found[0].detail.startswith("1 of 2 lines say what 1 of 3 lines of table-meld/test say")
    assert found[1].detail == "stands in table-meld/test/a/1"
    (apart,) = [item for item in check(mine, tmp_path, others=[mine["ingest"]]) if item.check == "leak"]  # type: ignore[list-item]
    assert (apart.level, apart.detail) == ("info", "no line of it stands in meld/test")


def test_leaks_within_a_joint_corpus_are_told_by_pair(tmp_path: Path) -> None:
    write_meld(tmp_path)
    table = tmp_path / "other.csv"
    head = "split,dialogue_id,turn,speaker,text,emotion\n"
    table.write_text(
        f"{head}test,a,0,R,Line 0 of TRAIN!,mad\ntest,a,1,R,line 2 of train,mad\ntest,b,0,R,And?,mad\n"
        "train,c,0,R,line 0 of test,mad\ntrain,c,1,R,line 2 of test,mad\ndev,d,0,R,Hm.,sad\n"
    )
    parts = [
        {"corpus": "meld", "folder": tmp_path, "dialogues": {"test": 1}},
        {"corpus": "table", "file": table, "labels": "emorynlp", "dialogues": {"test": 1}},
    ]

    def told(rule: str) -> list[tuple[str, str, str]]:
        values = settings(ingest={"corpus": "joint", "parts": parts, "leaks": rule})
        found = [item for item in check(values, tmp_path / "cache") if item.check == "leak"]
        return [(item.level, item.id, item.detail) for item in found]

    first = f"1 of 2 lines say what 1 of 3 lines of table-emorynlp/test say, {SAME}; left out"
    second = f"1 of 2 lines say what 1 of 2 lines of meld/test say, {SAME}; left out"
    assert told("drop") == [
        ("info", "meld/train", first),
        ("info", "meld/train/0/2", "stands in table-emorynlp/test/a/1"),
        ("info", "table-emorynlp/train", second),
        ("info", "table-emorynlp/train/c/1", "stands in meld/test/0/2"),
    ]
    assert [level for level, *_ in told("refuse")] == ["error", "error", "info", "info"]
    assert [level for level, *_ in told("keep")] == ["warning", "warning", "info", "info"]


def test_a_part_that_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    parts = [{"corpus": "meld", "folder": write_meld(tmp_path)}, {"corpus": "emorynlp", "folder": tmp_path / "none"}]
    found = check(settings(ingest={"corpus": "joint", "parts": parts}), tmp_path / "cache")
    assert [item.id for item in found if item.level == "error"] == ["emorynlp"]
    assert "meld/train" in {item.id for item in found if item.check == "balance"}


@pytest.mark.parametrize(
    ("other", "named"), [({"corpus": "demo"}, "demo"), ({"corpus": "emorynlp", "folder": "gone"}, "emorynlp")]
)
def test_a_corpus_that_cannot_be_compared_is_an_error(tmp_path: Path, other: dict[str, Any], named: str) -> None:
    mine = settings(ingest={"corpus": "meld", "folder": write_meld(tmp_path)})
    found = check(mine, tmp_path / "cache", others=[IngestSettings.model_validate(other)])
    assert [item.id for item in found if item.level == "error" and item.check in ("leak", "corpus")] == [named]
