"""One shard of one stage: the rows that it is handed, what it leaves behind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import fake_stages
import pytest
from fake_stages import STAGES, go, make

from model.dialogue import Rejected
from model.errors import CorpusError
from storage import ledger
from storage.shards import read_manifest, read_rows
from tasks.plan import Run
from tasks.run import ShardRows, reject_share, run_shard

INGEST, CAPTIONS, FINETUNE, EVALUATE, SCORE, REPORT = STAGES


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


def ingested(tmp_path: Path, **settings: Any) -> Run:
    run = make(tmp_path, **settings)
    run_shard(run, "ingest", 0)
    return run


# ---- cutting a corpus


@pytest.mark.parametrize("size", [1, 2, 3, 4, 6, 7, 100])
def test_shards_hold_whole_dialogues_of_one_split(tmp_path: Path, size: int) -> None:
    run = ingested(tmp_path, ingest={"shard_utterances": size})
    cut = run.shards() or []
    found = [
        row for item in cut for row in read_rows(run.layout, "utterances", run.keys["ingest"] or "", item["shard"])
    ]
    ids = [row.utterance_id for row in found]
    expected = [
        f"fake/{s}/{d}/{t}" for s, n in (("train", 4), ("dev", 1), ("test", 2)) for d in range(n) for t in range(3)
    ]
    assert ids == expected
    homes: dict[tuple[str, str], set[int]] = {}
    for item in cut:
        rows = read_rows(run.layout, "utterances", run.keys["ingest"] or "", item["shard"])
        assert {row.split for row in rows} == {item["split"]}
        assert len(rows) == item["rows"] <= max(size, 3)
        for row in rows:
            homes.setdefault((row.split, row.dialogue_id), set()).add(item["shard"])
    assert all(len(home) == 1 for home in homes.values())
    dialogues = [f"fake/{split}/{n}" for split, count in (("train", 4), ("dev", 1), ("test", 2)) for n in range(count)]
    assert ids == [f"{dialogue}/{turn}" for dialogue in dialogues for turn in range(3)]
    assert [item["shard"] for item in cut] == list(range(len(cut)))


def test_turns_come_in_order_however_the_corpus_yields_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backwards = replace(INGEST, run=lambda *given: reversed(list(INGEST.run(*given))))
    fake_stages.install(monkeypatch, (backwards, *STAGES[1:]))
    run = ingested(tmp_path)
    for item in run.shards() or []:
        rows = read_rows(run.layout, "utterances", run.keys["ingest"] or "", item["shard"])
        keys = [(row.dialogue_id, row.turn) for row in rows]
        assert [turn for _, turn in keys] == [0, 1, 2] * (len(keys) // 3)
        assert all(len({dialogue for dialogue, _ in keys[n : n + 3]}) == 1 for n in range(0, len(keys), 3))


def test_the_list_of_shards_is_written_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks import run as module

    monkeypatch.setattr(module, "write_json", lambda *_: (_ for _ in ()).throw(OSError("stop")))
    run = make(tmp_path)
    with pytest.raises(OSError, match="stop"):
        run_shard(run, "ingest", 0)
    assert run.shards() is None
    assert run.shards_of(CAPTIONS) is None


@pytest.mark.parametrize("reject", [(), ("fake/train/0/0",)])
def test_a_corpus_without_a_usable_line_is_an_error(tmp_path: Path, reject: tuple[str, ...]) -> None:
    run = make(tmp_path, ingest={"dialogues": {"train": 1}, "lines": len(reject), "reject": reject})
    match = (
        "no usable line; 1 were rejected, the first fake/train/0/0: the line has no text"
        if reject
        else "0 were rejected"
    )
    with pytest.raises(CorpusError, match=match):
        run_shard(run, "ingest", 0)
    assert run.shards() is None


def test_rejected_lines_of_a_corpus_are_kept(tmp_path: Path) -> None:
    run = ingested(tmp_path, ingest={"reject": ("fake/test/1/2",)})
    (row,) = read_rows(run.layout, "rejects", run.keys["ingest"] or "", 0)
    assert (row.utterance_id, row.reason) == ("fake/test/1/2", "empty_text")
    assert reject_share(run, INGEST) == pytest.approx(1 / 21)


def test_leaks_are_kept_as_rejects_and_do_not_count_towards_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drop(*given: Any) -> Any:
        for row in INGEST.run(*given):
            leak = "/test/" not in row.utterance_id
            yield Rejected(row.utterance_id, "ingest", "leak", "stands in test") if leak else row

    fake_stages.install(monkeypatch, (replace(INGEST, run=drop), *STAGES[1:]))
    run = ingested(tmp_path, ingest={"reject": ("fake/test/1/2",)})
    assert len(read_rows(run.layout, "rejects", run.keys["ingest"] or "", 0)) == 16
    assert reject_share(run, INGEST) == pytest.approx(1 / 21)


# ---- the rows that a stage is handed


def test_a_sharded_stage_sees_its_shard_only(tmp_path: Path) -> None:
    run = ingested(tmp_path)
    for shard, split in enumerate(("train", "train", "dev", "test")):
        rows = ShardRows(run, CAPTIONS, shard)
        assert {row.split for row in rows["utterances"]} == {split}
    assert ShardRows(run, CAPTIONS, 0).columns("utterances", ["turn"]) == [[0, 1, 2, 0, 1, 2]]


def test_a_stage_may_ask_only_for_what_it_reads(tmp_path: Path) -> None:
    rows = ShardRows(ingested(tmp_path), CAPTIONS, 0)
    assert list(rows) == ["utterances", "rejects"]
    assert len(rows) == 2
    for table in ("predictions", "captions", "nonsense"):
        with pytest.raises(KeyError):
            rows[table]


def test_a_table_whose_stage_is_off_is_empty(tmp_path: Path) -> None:
    run = ingested(tmp_path, captions={"enabled": False})
    assert ShardRows(run, FINETUNE, 0)["captions"] == []


def test_a_few_utterances_are_selected_over_all_shards(tmp_path: Path) -> None:
    rows = ShardRows(ingested(tmp_path), SCORE, 0)
    assert list(rows) == ["predictions", "rejects"]
    rows = ShardRows(ingested(tmp_path), REPORT, 0)
    names = ["fake/train/0/1", "fake/test/1/2", "unknown"]
    assert [row.utterance_id for row in rows.select("utterances", names)] == names[:2]


def test_the_report_sees_every_reject(tmp_path: Path) -> None:
    run = make(
        tmp_path, ingest={"reject": ("fake/train/0/0",)}, captions={"reject": ("fake/test/1/2",), "max_rejects": 1}
    )
    go(run)
    assert [row.stage for row in ShardRows(run, REPORT, 0)["rejects"]] == ["ingest", "captions"]


def test_a_stage_that_asks_gets_the_same_train_utterances_for_every_shard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.few_shot.POOL", 8)
    asking = replace(CAPTIONS, examples=True)
    drawn = set()
    for seed in range(6):
        run = ingested(tmp_path, ingest={"dialogues": {"train": 9, "dev": 2, "test": 3}}, captions={"seed": seed})
        ids = {tuple(row.utterance_id for row in ShardRows(run, asking, n)["examples"]) for n in run.shards_of(asking)}
        (found,) = ids
        assert {name.split("/")[1] for name in found} == {"train"}
        assert len(found) in (9, 12)
        drawn |= ids
    assert len(drawn) > 1
    with pytest.raises(KeyError):
        ShardRows(run, CAPTIONS, 0)["examples"]


class AllOfThem(fake_stages.Captions):
    shots_pool: int = 10_000


def test_a_stage_says_how_many_train_utterances_it_wants(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.few_shot.POOL", 1)
    asking = replace(CAPTIONS, examples=True)
    few = ShardRows(ingested(tmp_path), asking, 3)["examples"]
    fake_stages.install(monkeypatch, (INGEST, replace(asking, settings=AllOfThem), *STAGES[2:]))
    run = ingested(tmp_path)
    assert (len(few), len(ShardRows(run, asking, 3)["examples"])) == (6, 12)


def test_the_examples_are_read_once_in_a_process(tmp_path: Path) -> None:
    asking = replace(CAPTIONS, examples=True)
    run = ingested(tmp_path)
    first = ShardRows(run, asking, 0)["examples"]
    for path in run.layout.folder("utterances", run.keys["ingest"] or "").glob("part-*.parquet"):
        path.unlink()
    assert first == ShardRows(run, asking, 3)["examples"] != []


# ---- what a shard leaves behind


def test_the_manifest_says_who_made_it_from_how_much(tmp_path: Path) -> None:
    run = ingested(tmp_path, captions={"reject": ("fake/train/0/0",)})
    found = run_shard(run, "captions", 0)
    known = {name: found[name] for name in ("run_id", "stage", "version", "inputs", "rows", "rejects", "stage_key")}
    assert known == {
        "run_id": run.run_id,
        "stage": "captions",
        "version": 1,
        "inputs": 6,
        "rows": 5,
        "rejects": 1,
        "stage_key": run.keys["captions"],
    }
    assert found["seconds"] >= 0
    assert found["finished_at"]
    assert found == read_manifest(run.layout.manifest("captions", run.keys["captions"] or "", 0))


def test_a_failure_is_recorded_with_its_traceback(tmp_path: Path) -> None:
    run = ingested(tmp_path, captions={"broken": (1,)})
    with pytest.raises(RuntimeError, match="shard 1 is broken"):
        run_shard(run, "captions", 1)
    state, found = ledger.shard_state(run.layout, "captions", run.keys["captions"] or "", 1)
    assert state == "failed"
    assert found
    assert (found["type"], found["error"], found["shard"]) == ("RuntimeError", "shard 1 is broken", 1)
    assert "fake_stages.py" in found["traceback"]


def test_a_known_error_is_recorded_without_traceback(tmp_path: Path) -> None:
    run = make(tmp_path, ingest={"lines": 0})
    with pytest.raises(CorpusError):
        run_shard(run, "ingest", 0)
    state, found = ledger.shard_state(run.layout, "utterances", run.keys["ingest"] or "", 0)
    assert (state, found and "traceback" in found) == ("failed", False)


def test_a_failure_before_the_stage_begins_is_recorded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ingested(tmp_path)

    def no_folder(*_: object) -> None:
        raise CorpusError("ingest.videos is not there")

    monkeypatch.setattr("tasks.run.videos_root", no_folder)
    with pytest.raises(CorpusError):
        run_shard(run, "captions", 0)
    assert ledger.shard_state(run.layout, "captions", run.keys["captions"] or "", 0)[0] == "failed"


def test_a_failure_that_cannot_be_recorded_does_not_hide_the_first(tmp_path: Path) -> None:
    run = ingested(tmp_path, captions={"broken": (1,)})
    folder = run.layout.folder("captions", run.keys["captions"] or "")
    folder.parent.mkdir(parents=True)
    folder.write_text("a file in the way")
    with pytest.raises((RuntimeError, FileExistsError, NotADirectoryError)) as caught:
        run_shard(run, "captions", 1)
    assert any("could not be recorded" in note for note in caught.value.__notes__)


def test_the_same_shard_twice_is_the_same_file(tmp_path: Path) -> None:
    run = ingested(tmp_path)
    first = run_shard(run, "captions", 0)["sha256"]
    assert run_shard(run, "captions", 0)["sha256"] == first


# ---- the share of rejects


def test_the_share_of_rejects_counts_utterances_once(tmp_path: Path) -> None:
    run = make(tmp_path, captions={"reject": ("fake/train/0/0", "fake/test/0/0"), "max_rejects": 0.2})
    go(run)
    assert reject_share(run, CAPTIONS) == pytest.approx(2 / 21)
    assert reject_share(run, SCORE) == 0
    assert reject_share(make(tmp_path, captions={"prompt": "never ran"}), CAPTIONS) == 0
