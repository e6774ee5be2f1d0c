from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from iemocap_release import write_release

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks import ingest
from tasks.ingest_settings import IngestSettings
from tasks.stage import Context

HEADER = "Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n"


def write_meld(folder: Path, dialogues: int = 6, extra: str = "") -> Path:
    """Transcripts in MELD's form: ``dialogues`` of two lines in each split, and ``extra`` rows in train."""
    rows = [f"line {u} of {d},Ross,joy,positive,{d},{u}" for d in range(dialogues) for u in (0, 2)]
    for split in ("train", "dev", "test"):
        lines = [*rows, *(extra.splitlines() if split == "train" else [])]
        (folder / f"{split}_sent_emo.csv").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return folder


def run(settings: IngestSettings, cache: Path) -> list[Any]:
    return list(ingest.run({}, settings, Context(cache=cache, folder=cache)))


def dialogues(rows: list[Any], split: str) -> set[str]:
    return {row.dialogue_id for row in rows if isinstance(row, Utterance) and row.split == split}


def test_all_utterances_split_by_split(tmp_path: Path) -> None:
    rows = run(IngestSettings(corpus="meld", folder=write_meld(tmp_path)), tmp_path)
    assert len(rows) == 3 * 12
    assert [row.split for row in rows] == ["train"] * 12 + ["dev"] * 12 + ["test"] * 12
    assert [row.turn for row in rows] == [0, 1] * 18


def test_empty_lines_and_repeated_ids_are_rejected_and_leave_no_gap(tmp_path: Path) -> None:
    cells = [" ,Ross,joy,positive,9,0", "first,Ross,joy,positive,9,1", "again,Ross,anger,negative,9,1"]
    extra = "\n".join([*cells, "last,Ross,joy,positive,9,5"])
    rows = run(IngestSettings(corpus="meld", folder=write_meld(tmp_path, extra=extra)), tmp_path)
    nine = [(row.turn, row.text) for row in rows if isinstance(row, Utterance) and row.dialogue_id == "9"]
    assert nine == [(0, "first"), (1, "last")]
    rejects = [(row.utterance_id, row.stage, row.reason) for row in rows if isinstance(row, Rejected)]
    assert rejects == [
        ("meld/train/9/0", "ingest", "empty_text"),
        ("meld/train/9/1", "ingest", "duplicate_id"),
    ]


def test_a_subset_is_whole_dialogues_drawn_by_the_seed_and_grows(tmp_path: Path) -> None:
    folder = write_meld(tmp_path, dialogues=30)

    def drawn(n: int, seed: int = 0) -> set[str]:
        settings = IngestSettings(corpus="meld", folder=folder, dialogues={"train": n, "dev": 1}, seed=seed)
        rows = run(settings, tmp_path)
        assert len(dialogues(rows, "dev")) == 1
        assert len(dialogues(rows, "test")) == 30
        assert len([row for row in rows if row.split == "train"]) == 2 * min(n, 30)
        return dialogues(rows, "train")

    assert len(drawn(5)) == 5
    assert drawn(5) == drawn(5) < drawn(10) < drawn(100)
    assert drawn(5) != drawn(5, seed=1)


def test_rejects_of_dialogues_left_out_stay_out(tmp_path: Path) -> None:
    extra = "\n".join(f"x,Ross,rage,negative,{d},7" for d in range(6))
    settings = IngestSettings(corpus="meld", folder=write_meld(tmp_path, extra=extra), dialogues={"train": 2})
    rows = run(settings, tmp_path)
    kept = dialogues(rows, "train")
    assert {row.utterance_id.split("/")[2] for row in rows if isinstance(row, Rejected)} == kept


def test_identity_follows_the_bytes_and_not_the_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one = IngestSettings(corpus="meld", folder=write_meld(tmp_path / "a"))
    two = IngestSettings(corpus="meld", folder=write_meld(tmp_path / "b"))
    assert ingest.identity(one) == ingest.identity(two)
    assert one.key_fields() == two.key_fields()
    with_videos = IngestSettings(corpus="meld", folder=tmp_path / "a", videos=tmp_path)
    assert ingest.identity(with_videos) != ingest.identity(one)
    write_meld(tmp_path / "b", extra="more,Ross,joy,positive,9,0")
    assert ingest.identity(one) != ingest.identity(two)


def test_videos_root(tmp_path: Path) -> None:
    meld = IngestSettings(corpus="meld", folder=tmp_path)
    assert ingest.videos_root(meld, tmp_path, {}) is None
    assert ingest.videos_root(meld.model_copy(update={"videos": tmp_path}), tmp_path, {}) == tmp_path
    demo = ingest.videos_root(IngestSettings(), tmp_path, {"demo": "a"})
    assert demo is not None
    assert demo.parent == tmp_path
    assert demo == ingest.videos_root(IngestSettings(), tmp_path, {"demo": "a"})
    assert demo != ingest.videos_root(IngestSettings(seed=1), tmp_path, {"demo": "a"})
    assert demo != ingest.videos_root(IngestSettings(), tmp_path, {"demo": "b"})


def test_a_table(tmp_path: Path) -> None:
    path = tmp_path / "corpus.tsv"
    path.write_text("split\tdialogue_id\tturn\tspeaker\tWords\temotion\ntrain\ta\t7\tAna\tHi.\tmad\n")
    settings = IngestSettings(corpus="table", file=path, labels="emorynlp", columns={"text": "Words"})
    rows = run(settings, tmp_path)
    assert [(row.utterance_id, row.text, row.emotion) for row in rows] == [("table-emorynlp/train/a/7", "Hi.", "mad")]
    moved = path.rename(tmp_path / "moved.tsv")
    there = settings.model_copy(update={"file": moved})
    before = ingest.identity(there)
    assert there.key_fields() == settings.key_fields()
    assert there.key_fields()["columns"] == {"text": "Words"}
    assert not settings.has_videos()
    moved.write_text(moved.read_text() + "train\ta\t8\tBen\tNo.\tsad\n")
    assert ingest.identity(there) != before
    with pytest.raises(CorpusError, match=r"ingest\.file: .*none\.tsv cannot be read"):
        ingest.identity(settings.model_copy(update={"file": tmp_path / "none.tsv"}))


def write_subtitles(folder: Path, text: str = "Hi.") -> Path:
    for split in ("train", "dev", "test"):
        (folder / split).mkdir(parents=True)
        (folder / split / "a.srt").write_text(f"1\n00:00:01,000 --> 00:00:02,000\nAna: [joy] {text}\n")
    return folder


def test_subtitles(tmp_path: Path) -> None:
    settings = IngestSettings(corpus="subtitles", folder=write_subtitles(tmp_path / "talks"), labels="meld")
    assert [row.utterance_id for row in run(settings, tmp_path)] == [
        f"subtitles-meld/{split}/a/1" for split in ("train", "dev", "test")
    ]
    assert not settings.has_videos()
    assert {"file", "columns"}.isdisjoint(settings.key_fields())
    moved = settings.model_copy(update={"folder": write_subtitles(tmp_path / "moved")})
    other = settings.model_copy(update={"folder": write_subtitles(tmp_path / "other", "Ho.")})
    assert ingest.identity(moved) == ingest.identity(settings) != ingest.identity(other)


def test_a_video_of_another_name_is_another_identity(tmp_path: Path) -> None:
    folder = write_subtitles(tmp_path / "talks")
    settings = IngestSettings(corpus="subtitles", folder=folder, videos=folder, labels="meld")
    seen = [ingest.identity(settings)]
    for name in ("train/a.mp4", "dev/a.mkv"):
        (folder / name).write_text("")
        seen.append(ingest.identity(settings))
    assert len({found["videos"] for found in seen}) == 3
    assert [row.video for row in run(settings, tmp_path)] == ["train/a.mp4", "dev/a.mkv", None]
    with pytest.raises(CorpusError, match=r"ingest\.videos: .*none"):
        ingest.identity(settings.model_copy(update={"videos": tmp_path / "none"}))


def test_missing_folders_are_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"ingest\.folder: .*train_sent_emo\.csv cannot be read"):
        ingest.identity(IngestSettings(corpus="meld", folder=tmp_path / "none"))
    settings = IngestSettings(corpus="meld", folder=write_meld(tmp_path), videos=tmp_path / "none")
    with pytest.raises(CorpusError, match=r"ingest\.videos: .*none is not a folder"):
        run(settings, tmp_path)


def test_iemocap_has_three_label_sets_and_six_labels_if_none_is_chosen(tmp_path: Path) -> None:
    release = write_release(tmp_path)

    def chosen(labels: str | None) -> IngestSettings:
        return IngestSettings.model_validate({"corpus": "iemocap", "folder": release, "labels": labels})

    assert [
        len([row for row in run(chosen(n), tmp_path) if isinstance(row, Utterance)]) for n in ("iemocap4", None)
    ] == [45, 60]
    assert run(chosen(None), tmp_path) == run(chosen("iemocap"), tmp_path)
    assert chosen(None).key_fields() == chosen("iemocap").key_fields() != chosen("iemocap4").key_fields()
    before = ingest.identity(chosen("iemocap"))
    path = release / "Session2" / "dialog" / "transcriptions" / "Ses02F_impro01.txt"
    path.write_text(path.read_text().replace("Line 0", "Line zero"))
    assert ingest.identity(chosen("iemocap")) != before


def test_the_demo_is_drawn_then_read(tmp_path: Path) -> None:
    settings = IngestSettings(dialogues={"train": 1, "dev": 1, "test": 1})
    steps: list[tuple[int, int, str]] = []
    context = Context(cache=tmp_path, folder=tmp_path, progress=lambda *step: steps.append(step))
    rows = list(ingest.run({}, settings, context))
    root = ingest.videos_root(settings, tmp_path, ingest.identity(settings))
    assert root is not None
    assert {row.split for row in rows} == {"train", "dev", "test"}
    assert len({(row.split, row.dialogue_id) for row in rows}) == 3
    assert all(row.corpus == "demo" and (root / row.video).stat().st_size > 1000 for row in rows)
    assert steps[-1] == (len(rows), len(rows), "clips drawn")


def write_pair(folder: Path) -> IngestSettings:
    """Two tables of a dialogue a split, called a in both; lines of "one" stand in the test split of "two"."""
    rows = {
        "one": ["train|Who is it?|It is me.|Go away!", "dev|Who is it?|Nobody.|", "test|Good night.|Sleep well.|"],
        "two": ["train|Good night!|Sleep well|", "dev|Rain.|Snow.|", "test|who is it|it is me|nobody"],
    }
    parts = []
    for (name, lines), labels in zip(rows.items(), ("meld", "emorynlp"), strict=True):
        table = [
            f"{split},a,{turn},Ana,{text},neutral"
            for split, *texts in (line.split("|") for line in lines)
            for turn, text in enumerate(texts)
            if text
        ]
        path = folder / f"{name}.csv"
        path.write_text("\n".join(["split,dialogue_id,turn,speaker,text,emotion", *table]) + "\n")
        parts.append({"corpus": "table", "file": path, "labels": labels})
    return IngestSettings.model_validate({"corpus": "joint", "parts": parts})


def test_corpora_lie_side_by_side_and_their_leaks_are_rejected(tmp_path: Path) -> None:
    settings = write_pair(tmp_path)
    rows = run(settings, tmp_path)
    kept = [(row.utterance_id, row.turn) for row in rows if isinstance(row, Utterance)]
    assert kept == [
        *(("table-meld/train/a/0", 0), ("table-meld/train/a/2", 1), ("table-meld/dev/a/0", 0)),
        *(("table-meld/dev/a/1", 1), ("table-meld/test/a/0", 0), ("table-meld/test/a/1", 1)),
        *(("table-emorynlp/train/a/0", 0), ("table-emorynlp/dev/a/0", 0), ("table-emorynlp/dev/a/1", 1)),
        *((f"table-emorynlp/test/a/{turn}", turn) for turn in range(3)),
    ]
    leaks = {row.utterance_id: (row.stage, row.reason, row.detail) for row in rows if isinstance(row, Rejected)}
    assert {*leaks} == {"table-meld/train/a/1", "table-emorynlp/train/a/1"}
    assert leaks["table-meld/train/a/1"][:2] == ("ingest", "leak")
    assert (
        "it stands in table-emorynlp/test/a/1, after the same line or in 8 words or more"
        in leaks["table-meld/train/a/1"][2]
    )


def test_leaks_are_refused_or_kept_where_that_is_asked_for(tmp_path: Path) -> None:
    settings = write_pair(tmp_path)
    with pytest.raises(CorpusError, match=r"2 lines of train and dev .*\(table-meld/train/a/1, table-emorynlp/"):
        run(settings.model_copy(update={"leaks": "refuse"}), tmp_path)
    kept = run(settings.model_copy(update={"leaks": "keep"}), tmp_path)
    assert len(kept) == 14
    assert all(isinstance(row, Utterance) for row in kept)


def test_a_leak_into_a_dialogue_that_was_not_chosen_is_one_all_the_same(tmp_path: Path) -> None:
    settings = IngestSettings(corpus="meld", folder=write_meld(tmp_path), dialogues={"test": 1}, leaks="drop")
    rows = run(settings, tmp_path)
    assert len([row for row in rows if isinstance(row, Rejected)]) == 2 * 6  # every second line of train and dev
    assert len(dialogues(rows, "test")) == 1


def test_the_identity_of_a_joint_corpus_is_that_of_its_parts(tmp_path: Path) -> None:
    settings = write_pair(tmp_path)
    before = ingest.identity(settings)
    assert before["leaks"] == "1"
    assert before["table-meld videos"] == "no"
    assert "leaks" not in ingest.identity(settings.model_copy(update={"leaks": "keep"}))
    (tmp_path / "two.csv").write_text((tmp_path / "two.csv").read_text() + "train,z,0,Ana,More.,neutral\n")
    assert {name for name, digest in ingest.identity(settings).items() if before[name] != digest} == {
        "table-emorynlp table.csv"
    }


def test_names_that_only_look_like_others_are_rejected(tmp_path: Path) -> None:
    header = "split,dialogue_id,turn,speaker,text,emotion\n"
    rows = [
        "train,a,0,Ross,Hi.,joy",
        "train,a,1,R\u043ess,Ho.,joy",
        "train,a,2,Ross,Hm.,j\u043ey",
        "train,\u0430,0,Ross,Oh.,joy",
        "test,\u0430,0,Ross,Ah.,joy",
        "train,a\u200b,3,Ross,Eh.,joy",
        "dev,b,0,R\u043ess,Alone it is a name like any other.,joy",
    ]
    (tmp_path / "t.csv").write_text(header + "\n".join(rows), encoding="utf-8")
    settings = IngestSettings(corpus="table", file=tmp_path / "t.csv", labels="meld")
    found = run(settings, tmp_path)
    assert [row.utterance_id for row in found if isinstance(row, Utterance)] == [
        "table-meld/train/a/0",
        "table-meld/dev/b/0",
    ]
    rejects = {row.reason: row.detail for row in found if isinstance(row, Rejected)}
    assert sorted(row.reason for row in found if isinstance(row, Rejected)) == [
        "bad_id",
        "look_alike_dialogue",
        "look_alike_dialogue",
        "look_alike_speaker",
        "unknown_label",
    ]
    assert r"speaker 'R\u043ess' looks like 'Ross'" in rejects["look_alike_speaker"]
    assert r"('j\u043ey'), none of neutral" in rejects["unknown_label"]
