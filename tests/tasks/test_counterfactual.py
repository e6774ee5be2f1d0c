"""A model that lives on its captions is told from one that does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from described_run import described

from model.errors import WorkspaceError
from storage import ledger
from storage.queries import connect, query
from tasks.counterfactual import COLUMNS, Options, counterfactual, descriptions
from tasks.plan import Run
from tasks.publish import rebuild
from tasks.reassemble import read_split

DEV = Options(resamples=1000, seed=1)


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory, one_thread: None) -> Run:  # noqa: ARG001
    return described(tmp_path_factory.mktemp("described"), tiny_model)


def accuracy(rows: list[dict[str, Any]], captions: str = "all") -> dict[str, dict[str, Any]]:
    return {row["condition"]: row for row in rows if (row["metric"], row["captions"]) == ("accuracy", captions)}


def stored(run: Run) -> list[tuple[Any, ...]]:
    with connect(run.layout) as connection:
        return query(connection, "FROM counterfactuals ORDER BY ALL")[1]


def test_a_model_that_reads_its_captions_falls_without_them(run: Run) -> None:
    found = accuracy(counterfactual(run, DEV))
    assert {row["against_value"] for name, row in found.items() if name != "captions_alone"} == {
        found["dropped"]["against_value"]
    }
    assert found["dropped"]["against_value"] > 0.9
    assert found["swapped_within"]["change"] == 0  # the captions of an emotion are all alike
    for name in ("dropped", "constant", "swapped_across"):
        assert found[name]["change"] < -0.2
        assert found[name]["p"] < 0.01
    assert found["swapped_across"]["value"] < 0.1
    assert found["captions_alone"]["against_value"] == 24 / 40
    assert found["captions_alone"]["value"] > 0.9


def test_lines_without_a_caption_are_counted_and_stay(run: Run) -> None:
    found = accuracy(counterfactual(run, DEV))
    assert {row["uncaptioned"] for row in found.values()} == {1}
    assert [found[name]["changed"] for name in ("dropped", "swapped_across", "constant")] == [39, 39, 39]
    assert found["captions_alone"]["changed"] is None


def test_the_kinds_of_captions_stand_apart_with_their_support(run: Run) -> None:
    rows = counterfactual(run, DEV)
    both = [accuracy(rows, kind)["dropped"] for kind in ("names an emotion", "names none")]
    assert sorted(row["utterances"] for row in both) == [16, 23]
    assert all(row["uncaptioned"] == 0 and row["dialogues"] == 8 for row in both)


def test_it_is_kept_once_and_survives_a_rebuild(run: Run) -> None:
    rows = counterfactual(run, DEV)
    assert {tuple(row) for row in rows} == {COLUMNS}
    before = stored(run)
    assert len(before) == len(rows) == 5 * 3 * 3
    assert counterfactual(run, DEV) == rows
    for path in run.layout.attempts(run.run_id).glob("counterfactual-*.json"):
        path.unlink()
    assert counterfactual(run, DEV) == rows  # measured anew
    assert stored(run) == before
    rebuild(run.layout)
    assert stored(run) == before


def test_a_measurement_on_test_is_a_reading_of_test(run: Run) -> None:
    assert ledger.test_reads(run.layout, run.run_id, run.keys["finetune"]) == []
    for _ in range(2):
        counterfactual(run, Options("test", 1000))
    (read,) = ledger.test_reads(run.layout, run.run_id, run.keys["finetune"])
    assert (read["stage"], read["why"], read["shards"]) == ("counterfactual", "counterfactual", 1)
    with connect(run.layout) as connection:
        assert query(connection, "SELECT adapter_key, readings FROM test_readings")[1] == [(run.keys["finetune"], 1)]


def test_the_seed_decides_the_swaps(run: Run) -> None:
    split = read_split(run, "dev")
    assert descriptions(split, 1) == descriptions(split, 1)
    assert {*descriptions(split, 1)["constant"].values()} == {"People are seen talking."}
    assert descriptions(split, 1)["dropped"] == {}


def test_nothing_is_read_where_nothing_can_be_said(tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path, tiny_model, splits=(), finetune={"enabled": False})
    with pytest.raises(WorkspaceError, match="has no adapter"):
        counterfactual(run, Options("test", 1000))
    assert ledger.readings(run.layout, run.run_id) == []
