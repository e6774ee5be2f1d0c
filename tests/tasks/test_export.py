"""What is exported is what the lake holds: every row once, no test row, whole or not there."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from exported_run import finished, instruction, rows_of, write_instructions

from model.errors import SettingsError, WorkspaceError
from tasks import data_card, export
from tasks.export_forms import SCHEMAS, Form, as_row
from tasks.plan import Run
from tasks.stages import BY_NAME

TRAIN = [*rows_of("train", 0), *rows_of("train", 1)]
DEV = rows_of("dev", 2)


def refused(run: Run, out: Path, kind: type[Exception], words: str, splits: tuple[str, ...] = ("train",)) -> None:
    before = sorted(out.parent.iterdir())
    with pytest.raises(kind, match=words):
        export.export(run, Form.TEXT, out, splits)
    assert sorted(out.parent.iterdir()) == before


@pytest.mark.parametrize("form", Form)
def test_every_row_comes_once_and_in_order(tmp_path: Path, form: Form) -> None:
    export.export(finished(tmp_path), form, tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.md", "train.parquet", "validation.parquet"}
    for name, rows in (("train", TRAIN), ("validation", DEV)):
        found = pq.read_table(tmp_path / "out" / f"{name}.parquet")
        assert found.schema == SCHEMAS[form]
        assert found.to_pylist() == [as_row(form, row) for row in rows]


@pytest.mark.parametrize("form", Form)
def test_the_datasets_library_reads_the_folder(tmp_path: Path, form: Form) -> None:
    datasets = pytest.importorskip("datasets", reason="the datasets library is not installed")
    export.export(finished(tmp_path), form, tmp_path / "out")
    found = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {name: rows.to_list() for name, rows in found.items()} == {
        "train": [as_row(form, row) for row in TRAIN],
        "validation": [as_row(form, row) for row in DEV],
    }


def test_what_is_said_of_a_file_is_so(tmp_path: Path) -> None:
    train, dev = export.export(finished(tmp_path), Form.MESSAGES, tmp_path / "out")
    assert (train.rows, train.labels, train.rejected) == (6, {("demo", "joy"): 4, ("demo", "anger"): 2}, 2)
    assert (dev.rows, dev.labels, dev.rejected) == (3, {("demo", "joy"): 2, ("demo", "anger"): 1}, 1)
    written = (tmp_path / "out" / "train.parquet").read_bytes()
    assert (train.bytes, train.sha256) == (len(written), hashlib.sha256(written).hexdigest())


def test_the_same_run_makes_the_same_bytes(tmp_path: Path) -> None:
    run = finished(tmp_path)
    for name in ("once", "twice"):
        export.export(run, Form.TEXT, tmp_path / name)
    once, twice = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("once", "twice"))
    assert once == twice


def test_rows_are_written_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROWS_PER_GROUP", 2)
    export.export(finished(tmp_path), Form.TEXT, tmp_path / "out")
    found = pq.ParquetFile(tmp_path / "out" / "train.parquet")
    assert found.metadata.num_row_groups == 2
    assert found.read().to_pylist() == [as_row(Form.TEXT, row) for row in TRAIN]


def test_an_empty_folder_and_one_split_will_do(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (part,) = export.export(finished(tmp_path), Form.TEXT, tmp_path / "out", ["dev"])
    assert part.rows == 3
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.md", "validation.parquet"}


@pytest.mark.parametrize(
    ("splits", "words"),
    [
        (("test",), "the test split is not exported: only evaluation reads it"),
        (("train", "test"), "each reading is on record"),
        (("validation",), "--splits: 'validation'; it takes train, dev or both"),
        ((), "none named"),
    ],
)
def test_the_test_split_and_unknown_ones_are_refused(tmp_path: Path, splits: tuple[str, ...], words: str) -> None:
    refused(finished(tmp_path), tmp_path / "out", SettingsError, words, splits)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    run, out = finished(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    refused(run, out, SettingsError, "not an empty folder: name another")
    refused(run, out / "thesis.tex", SettingsError, "not an empty folder")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused(run, tmp_path / "loop", SettingsError, "cannot be a folder")


def test_missing_instructions_name_the_line_that_makes_them(tmp_path: Path) -> None:
    run = finished(tmp_path)
    key = run.key(BY_NAME["instructions"])
    run.layout.manifest("instructions", key, 1).unlink()
    again = rf"1 of 2 shards pending: missing\): `dialoguellm rerun {run.run_id} --stage instructions -w"
    refused(run, tmp_path / "out", WorkspaceError, again)
    export.export(run, Form.TEXT, tmp_path / "dev only", ["dev"])
    run.layout.manifest("captions", run.key(BY_NAME["captions"]), 1).unlink()
    refused(run, tmp_path / "out", WorkspaceError, f"rerun {run.run_id} --failed -w")
    run.layout.shard_list(run.key(BY_NAME["ingest"])).unlink()
    refused(run, tmp_path / "out", WorkspaceError, "all pending")


@pytest.mark.parametrize(
    "row",
    [
        instruction("test", 0, 0),
        instruction("train", 0, 0, context_ids=("demo/test/0/0",)),
        instruction("train", 0, 0, answer="bliss"),
        instruction("train", 0, 0, answer=""),
    ],
)
def test_a_row_that_does_not_belong_stops_the_export(tmp_path: Path, row: object) -> None:
    run = finished(tmp_path)
    write_instructions(run, 1, [row])
    refused(run, tmp_path / "out", WorkspaceError, "is no labelled line of demo/train: `dialoguellm rerun")


def test_a_damaged_shard_and_an_empty_split_are_named(tmp_path: Path) -> None:
    run = finished(tmp_path)
    path = run.layout.part("instructions", run.key(BY_NAME["instructions"]), 1)
    path.write_bytes(b"x" * path.stat().st_size)
    refused(run, tmp_path / "out", WorkspaceError, f"{path.name} is damaged")
    write_instructions(run, 2, [])
    refused(run, tmp_path / "out", WorkspaceError, "no instructions of dev", ("dev",))


def test_an_export_that_ends_early_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(data_card, "render", stop)
    refused(finished(tmp_path), tmp_path / "out", KeyboardInterrupt, "^$")


def test_unified_answers_are_counted_as_they_are_written(tmp_path: Path) -> None:
    run = finished(tmp_path, instructions={"label_words": "unified"})
    write_instructions(run, 1, [instruction("train", 0, 0, answer="happiness")])
    refused(run, tmp_path / "out", WorkspaceError, "'demo/train/0/0' is no labelled line")  # shard 0 says joy
    write_instructions(run, 0, [instruction("train", 1, 0, answer="anger")])
    (part,) = export.export(run, Form.TEXT, tmp_path / "out", ["train"])
    assert part.labels == {("demo", "happiness"): 1, ("demo", "anger"): 1}
