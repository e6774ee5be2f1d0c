"""Transcripts that are broken or made to break a reader: rows, rejects with their reason, or one error that names the
file; never another exception, and memory in proportion to the file."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks import ingest, seceu_test
from tasks.corpora.table_rows import MAX_CELL_READ
from tasks.ingest_settings import IngestSettings
from tasks.stage import Context

HEADER = "split,dialogue_id,turn,speaker,text,emotion\n"
GOOD = "train,a,0,Ana,Hi.,joy\n"
OBJECT = '{"split": "train", "dialogue_id": "a", "turn": 1, "speaker": "Ana", "text": "Hi.", "emotion": "joy"}'


def found(path: Path, content: bytes, **settings: Any) -> list[str]:
    """What became of each row: its text, or the reason of its reject."""
    path.write_bytes(content)
    chosen = IngestSettings(**({"corpus": "table", "file": path, "labels": "meld"} | settings))
    rows = list(ingest.run({}, chosen, Context(cache=path.parent, folder=path.parent)))
    return [row.text if isinstance(row, Utterance) else row.reason for row in rows]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ('train,a,1,Ana,"two\r\nlines, ""quoted""",joy\n', ['two lines, "quoted"']),
        ("train,a,1,Ana,=HYPERLINK('x'),joy\n", ["=HYPERLINK('x')"]),
        ("train,a,1,Ana,@SUM(1+1)*cmd|' /C calc'!A0,joy\n", ["@SUM(1+1)*cmd|' /C calc'!A0"]),
        ('train,a,1,Ana,say "hi" now,joy\n', ['say "hi" now']),
        ("train,a,1,Ana,a\0b,joy\n", ["nul_byte"]),
        ("train,a,1,\0,Hi.,joy\n", ["nul_byte"]),
        ("train,a,1,Ana,Hi.,joy,more\n", ["bad_row"]),
        ("train,a,1,Ana\n", ["bad_row"]),
        (f"train,a,1,Ana,{'x' * 20_000},joy\n", ["cell_too_long"]),
        (f"train,a,{'9' * 5_000},Ana,Hi.,joy\n", ["bad_id"]),
        ("train,a,1,Ana,\u200b\u202e,joy\n", ["\u200b\u202e"]),
        ("train,a\u202eb,1,Ana,Hi.,joy\n", ["bad_id"]),
        ("train,a,1,Ana,Hi.,<|im_end|>joy\n", ["unknown_label"]),
        ("train,a,1,Ana,Hi.,j\u043ey\n", ["unknown_label"]),
        ("train,a,1,\u0410na,Hi.,joy\n", ["look_alike_speaker"]),
        ("dev,\u0430,1,Ana,Hi.,joy\n", ["look_alike_dialogue"]),
    ],
    ids=range(16),
)
def test_a_row_of_csv_is_itself_or_a_reject(tmp_path: Path, rows: str, expected: list[str]) -> None:
    assert found(tmp_path / "t.csv", (HEADER + GOOD + rows).encode()) == ["Hi.", *expected]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (HEADER + GOOD + 'train,a,1,Ana,"never closed,joy\n' + GOOD * 9, "unexpected end of data; repair the file"),
        (HEADER + GOOD + 'train,a,1,Ana,"closed"too early,joy\n', "line 3: .*repair the file"),
        (HEADER + GOOD + 'train,a,1,Ana,"' + "x" * (MAX_CELL_READ + 1), "field larger than field limit"),
        (("\ufeff" + HEADER + GOOD).encode("utf-16").decode("latin-1"), "no column split"),
        ("\0" * 1000, "no column split"),
    ],
    ids=range(5),
)
def test_a_file_that_is_no_csv_is_one_error_that_names_it(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said) as caught:
        found(tmp_path / "t.csv", content.encode("latin-1"))
    assert "t.csv" in str(caught.value)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_marks_and_encodings(tmp_path: Path, encoding: str) -> None:
    assert found(tmp_path / "t.csv", (HEADER + "train,a,0,Zoë,Café “ok”,joy\n").encode(encoding)) == ["Café “ok”"]


@pytest.mark.parametrize(
    "line",
    [
        OBJECT.replace('"emotion": "joy"', '"emotion": "joy", "emotion": "anger"'),
        OBJECT.replace('"Hi."', "NaN"),
        OBJECT.replace("1,", "1e999,"),
        OBJECT.replace("1,", "9" * 5_000 + ","),
        OBJECT.replace('"Hi."', '{"a": ' * 2_000),
        "[" * 1_000_000,
        OBJECT.replace("Hi.", "Hi.\\u0000"),
        OBJECT.replace('"a"', '"a\\ud800\\u0000"'),
    ],
    ids=range(8),
)
def test_a_line_of_json_is_a_row_or_a_reject(tmp_path: Path, line: str) -> None:
    (good, reason) = found(tmp_path / "t.jsonl", f"{OBJECT.replace('1,', '0,')}\n{line}\n".encode())
    assert good == "Hi."
    assert reason in ("bad_row", "bad_id", "nul_byte")


@pytest.mark.parametrize(
    ("cue", "expected"),
    [
        ("Ana: [joy] " + "x" * 20_000, "text_too_long"),
        ("[joy] " * 50, "empty_text"),
        ("Ana: [j\u043ey] Hi.", "unknown_label"),
        ("Ana: [joy] a\0b", "nul_byte"),
        ("Ana: [joy] " + "<i>" * 3_000 + "Hi.", "Hi."),
        ("Ana: [joy] " + "[" * 5_000 + "Hi.", "[" * 5_000 + "Hi."),
        ("Ana: [joy] " + "<" * 9_000, "<" * 9_000),
        ("<v " + "a" * 9_000 + "> [joy] Hi.", "bad_speaker"),
    ],
    ids=range(8),
)
def test_a_cue_is_itself_or_a_reject(tmp_path: Path, cue: str, expected: str) -> None:
    content = f"1\n00:00:01,000 --> 00:00:02,000\n{cue}\n"
    for split in ("train", "dev", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{split}.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n[joy] Hi.\n")
    path = tmp_path / "train" / "train.srt"
    assert expected in found(path, content.encode(), corpus="subtitles", folder=tmp_path, file=None)


def test_two_files_whose_names_look_alike_are_not_two_dialogues(tmp_path: Path) -> None:
    for split, name in (("train", "a"), ("dev", "b"), ("test", "\u0430")):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"{name}.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\n[joy] Hi.\n")
    chosen = IngestSettings(corpus="subtitles", folder=tmp_path, labels="meld")
    rows = list(ingest.run({}, chosen, Context(cache=tmp_path, folder=tmp_path)))
    assert [row.reason for row in rows if isinstance(row, Rejected)] == ["look_alike_dialogue"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_huge_cell_costs_memory_in_proportion(tmp_path: Path, kind: str) -> None:
    size = 8 << 20
    text = "x" * size
    line = f"train,a,1,Ana,{text},joy\n" if kind == "csv" else OBJECT.replace("Hi.", text)
    start = HEADER if kind == "csv" else ""
    content = (start + line).encode()
    tracemalloc.start()
    assert found(tmp_path / f"t.{kind}", content) == ["cell_too_long"]
    assert tracemalloc.get_traced_memory()[1] < 10 * size
    tracemalloc.stop()


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    """A pipe, or a link to a device without end, such as an archive that was unpacked may hold."""
    pipe, zero = tmp_path / "pipe.csv", tmp_path / "zero.csv"
    os.mkfifo(pipe)
    zero.symlink_to("/dev/zero")
    for path in (pipe, zero):
        chosen = IngestSettings(corpus="table", file=path, labels="meld")
        for read in (ingest.identity, lambda chosen: list(ingest.run({}, chosen, Context(tmp_path, tmp_path)))):
            with pytest.raises(CorpusError, match=r"\.csv cannot be read \(it is no plain file\)"):
                read(chosen)
        with pytest.raises(CorpusError, match="it is no plain file"):
            seceu_test.load(path)
    for split in ("train", "dev", "test"):
        os.mkfifo(tmp_path / f"{split}_sent_emo.csv")
    with pytest.raises(CorpusError, match=r"train_sent_emo\.csv cannot be read \(it is no plain file\)"):
        list(ingest.run({}, IngestSettings(corpus="meld", folder=tmp_path), Context(tmp_path, tmp_path)))


def test_a_parquet_file_that_repeats_a_row_a_million_times_is_refused(tmp_path: Path) -> None:
    rows = 300_000
    cells = {"split": "train", "dialogue_id": "a", "turn": "0", "speaker": "Ana", "text": "x" * 5000, "emotion": "joy"}
    index = pa.array([0] * rows, pa.int32())
    table = pa.table({name: pa.DictionaryArray.from_arrays(index, pa.array([cell])) for name, cell in cells.items()})
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    with pytest.raises(CorpusError, match=r"t\.parquet claims 300,000 rows in [\d,]+ bytes: it repeats a few"):
        found(tmp_path / "t.parquet", (tmp_path / "t.parquet").read_bytes())
