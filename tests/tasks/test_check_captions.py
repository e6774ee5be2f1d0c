"""What captions give away, from a workspace that holds some; never from the test split's."""

from __future__ import annotations

from pathlib import Path

import fake_stages
import pytest
from fake_stages import go, make

from model.dialogue import Caption
from storage.shards import write_shard
from tasks import check_captions
from tasks.check_text import Finding
from tasks.drive import Selection
from tasks.plan import Run


@pytest.fixture(autouse=True)
def _stages(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two train shards, one of dev, one of test; every first line is anger, the others joy."""
    made = make(tmp_path)
    go(made, Selection(("ingest", "captions")))
    return made


def say(run: Run, shard: int, *words: tuple[str, ...]) -> None:
    """Captions of a shard's first lines, one of these words each."""
    split = ("train", "train", "dev", "test")[shard]
    first = 2 * shard if split == "train" else 0
    rows = [
        Caption(f"fake/{split}/{first + n // 3}/{n % 3}", "x", "vlm", "1", "plain", 1, 2, named, 0.0)
        for n, named in enumerate(words)
    ]
    write_shard(run.layout, "captions", run.keys["captions"] or "", shard, rows, {})


def test_shares_by_split_of_train_and_dev_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check_captions.parse.__globals__["UNIFIED"], "fake", {"joy": "happiness", "anger": "anger"})
    say(run, 0, ("happy",), ("happy", "calm"), ("angry",))
    say(run, 1, (), ("cheerful",))
    say(run, 2, ())
    say(run, 3, ("joy",))
    for path in run.layout.folder("captions", run.keys["captions"] or "").glob("part-00003.*"):
        path.unlink()
    leaks = [item for item in check_captions.all_of(run) if "name an emotion" in item.detail]
    words = "0 to 0 words, the median 0"
    assert leaks == [
        Finding("info", "captions", "fake/train", f"5 captions: 80.0% name an emotion, 20.0% the line's own; {words}"),
        Finding("info", "captions", "fake/dev", f"1 captions: 0.0% name an emotion, 0.0% the line's own; {words}"),
    ]


def test_counts_by_measure_with_the_worst_of_each(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check_captions.parse.__globals__["UNIFIED"], "fake", {"joy": "happiness", "anger": "anger"})
    made = [
        Caption("fake/train/0/0", "Bad.", "vlm", "1", "p", 1, 2, (), 0.0, 30, 0.3, 0.5, False, None, "no_face"),
        Caption("fake/train/0/1", "Worse.", "vlm", "1", "p", 1, 2, (), 0.0, 10, 0.45, 0.15, True, 0.9, "none"),
        Caption("fake/train/0/2", "Good.", "vlm", "1", "p", 1, 2, (), 0.0, 4, 0.0, 0.0, False, 0.5, None),
    ]
    write_shard(run.layout, "captions", run.keys["captions"] or "", 0, made, {})
    found = [item.detail for item in check_captions.all_of(run) if item.id == "fake/train"]
    assert found == [
        "9 captions: 0.0% name an emotion, 0.0% the line's own; 0 to 30 words, the median 0",
        "2 of 9 repeat a quarter of themselves; for example fake/train/0/1: 'Worse.'",
        "1 of 2 have four words of five from the one before; for example fake/train/0/1: 'Worse.'",
        "1 of 2 hold little English; for example fake/train/0/1: 'Worse.'",
        "1 of 9 decline to describe; for example fake/train/0/1: 'Worse.'",
        "1 of 2 are contradicted by who was found; for example fake/train/0/0: 'Bad.'",
    ]
    dev = [item.detail for item in check_captions.all_of(run) if item.id == "fake/dev"]
    assert dev[1:] == ["none repeat a quarter of themselves, none decline to describe"]


def test_without_captions_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert list(check_captions.all_of(make(tmp_path))) == []
    run = make(tmp_path, captions={"enabled": False})
    go(run, Selection(("ingest",)))
    assert list(check_captions.all_of(run)) == []


def test_a_damaged_shard_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(check_captions.parse.__globals__["UNIFIED"], "fake", {"joy": "happiness", "anger": "anger"})
    part = run.layout.part("utterances", run.keys["ingest"] or "", 0)
    part.write_bytes(part.read_bytes()[::-1])
    first, *rest = check_captions.all_of(run)
    assert (first.level, first.check, first.id) == ("warning", "captions", "part-00000")
    leaks = [item.detail.split()[0] for item in rest if "name an emotion" in item.detail]
    assert leaks == ["6", "3"]
