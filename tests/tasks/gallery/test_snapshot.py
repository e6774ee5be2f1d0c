"""What the gallery holds of a run in memory, and what it finds in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from scored_run import recorded, says
from shown_run import LINES, TEST, described

from model.errors import WorkspaceError
from tasks.gallery.filter import Filter
from tasks.gallery.links import Served
from tasks.gallery.pages import Pages
from tasks.gallery.snapshot import Snapshot
from tasks.plan import Run
from tasks.stages import BY_NAME


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return described(tmp_path_factory.mktemp("gallery"), LINES)


@pytest.fixture(scope="module")
def snapshot(run: Run) -> Snapshot:
    return Snapshot(run)


def found(snapshot: Snapshot, **asked: str) -> list[str]:
    return [
        row["utterance_id"]
        for item in snapshot.dialogues(Filter.model_validate(asked), every=True).dialogues
        for row in item["rows"]
    ]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"answer": "wrong"}, [TEST[place].utterance_id for place in (1, 5, 7)]),
        ({"predicted": "fear"}, [TEST[place].utterance_id for place in (1, 5, 7)]),
        ({"answer": "right", "gold": "joy", "split": "test"}, [f"demo/test/{n}/2" for n in range(12)]),
        ({"words": "JOY we are, 2", "split": "train"}, [f"demo/train/{n}/2" for n in range(3)]),
        ({"words": "demo/test/3/1"}, ["demo/test/3/1"]),
        ({"words": "demo/test/3"}, [f"demo/test/3/{n}" for n in range(4)]),
        ({"caption": "waves. so anger"}, [f"demo/test/{n}/3" for n in range(12)]),
        ({"caption": "%"}, []),
        ({"speaker": "Nobody"}, []),
    ],
)
def test_a_filter_finds_the_lines_that_meet_all_of_it(
    snapshot: Snapshot, asked: dict[str, str], wanted: list[str]
) -> None:
    assert found(snapshot, **asked) == wanted


def test_dialogues_come_by_number_and_the_worst_first_where_asked(snapshot: Snapshot) -> None:
    by_corpus = snapshot.dialogues(Filter(split="test"), every=True).dialogues
    assert [item["dialogue"] for item in by_corpus] == [f"demo/test/{n}" for n in range(12)]
    worst = snapshot.dialogues(Filter(split="test", order="worst")).dialogues
    assert [(item["dialogue"], item["wrong"]) for item in worst[:3]] == [
        ("demo/test/1", 2),
        ("demo/test/0", 1),
        ("demo/test/2", 0),
    ]


def test_pages_of_the_list_hold_every_dialogue_once(snapshot: Snapshot) -> None:
    pages = [snapshot.dialogues(Filter(page=page)) for page in (1, 2, 3)]
    names = [item["dialogue"] for page in pages for item in page.dialogues]
    assert len(names) == len(set(names)) == pages[0].total == 27
    assert pages[0].pages == 2
    assert not pages[2].dialogues


def test_a_second_run_shows_what_changed(tmp_path: Path, run: Run) -> None:
    other = described(tmp_path, LINES, wrong=(0, 1))
    snapshot = Snapshot(run, other)
    assert found(snapshot, changed="gained") == [TEST[0].utterance_id]
    assert found(snapshot, changed="lost") == [TEST[5].utterance_id, TEST[7].utterance_id]
    page = Pages(snapshot, Served()).dialogue("demo/test/1") or ""
    assert page.count('<span class="chip lost">') == 2


def test_a_run_without_lines_is_refused(tmp_path: Path) -> None:
    run = recorded(tmp_path, [], LINES)
    for shard in range(3):
        run.layout.manifest("utterances", run.key(BY_NAME["ingest"]), shard).unlink()
    with pytest.raises(WorkspaceError, match="no utterances yet"):
        Snapshot(run)


def test_shards_that_are_not_there_are_said_and_the_others_shown(tmp_path: Path) -> None:
    run = described(tmp_path, LINES)
    run.layout.manifest("utterances", run.key(BY_NAME["ingest"]), 1).unlink()
    snapshot = Snapshot(run)
    assert snapshot.missing["utterances"] == 1
    assert "1 shard of utterances" in Pages(snapshot, Served()).listing(Filter())


def test_an_answer_that_did_not_parse_is_found_as_wrong_too(tmp_path: Path) -> None:
    rows = [says(row, None if place == 2 else row.emotion) for place, row in enumerate(TEST)]
    snapshot = Snapshot(recorded(tmp_path, rows, LINES))
    assert found(snapshot, answer="unparsed") == found(snapshot, answer="wrong") == [TEST[2].utterance_id]
    assert "no answer, not joy" in Pages(snapshot, Served()).listing(Filter(answer="wrong"))
