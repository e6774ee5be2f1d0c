"""The test is put to models, tuned models and servers; what they say is kept, and what says nothing is counted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from described_run import described
from playing_server import Reply, Seen, playing, says
from seceu_file import SCORES, write

from model.errors import ServerError, WorkspaceError
from storage import findings
from storage.layout import Layout, open_workspace
from storage.queries import connect, query
from storage.warehouse import publish
from tasks.emotional_intelligence import Options, Questions, SeceuServer
from tasks.seceu_test import Test, load

PUBLISHED = Path(os.environ.get("DIALOGUELLM_TEST_DATA", "/nonexistent"), "seceu", "seceu_items.json")

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def test(tmp_path: Path) -> Test:
    return load(write(tmp_path / "items.json"))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return open_workspace(tmp_path / "workspace", create=True)


def right(request: Seen, _number: int) -> Reply:
    """The standard scores of the story that is asked for; none of the third, a fault of the fifth."""
    said = request.body["messages"][1]["content"]
    at = int(said.split("Story ")[1][0]) - 1
    if at == 4:
        return Reply(b"{}", 400)
    names = said.split("Emotions: ")[1].split("\n")[0].split(", ")
    return says(
        ", ".join(f"{name}: {score}" for name, score in zip(names, SCORES[at], strict=True)) if at != 2 else "?"
    )


def test_a_servers_answers_are_measured_and_kept(test: Test, layout: Layout) -> None:
    with playing(play=right) as server:
        settings = SeceuServer(server=server.url, model="org/oracle")
        asked = Questions(layout, test, Options(examples=1, max_new_tokens=64))
        (found,) = asked.of_server(settings)
        assert asked.of_server(settings) == [found]
        assert len(server.seen) == 5
        assert {seen.body["max_tokens"] for seen in server.seen} == {64}
        Questions(layout, test, Options(examples=1, max_new_tokens=64), force=True).of_server(settings)
        Questions(layout, test, Options(examples=0, max_new_tokens=64)).of_server(settings)
        assert len(server.seen) == 15
    assert (found["answered"], found["faults"], found["eq"], found["pattern"]) == (3, 1, None, None)
    assert found["distance"] == pytest.approx(0, abs=0.01)
    asked.controls()
    asked.publish()
    with connect(layout) as connection:
        rows = query(connection, "FROM seceu_answers WHERE fault IS NOT NULL ORDER BY item")[1]
        text = "SELECT system, answered, unanswered, better_than FROM seceu WHERE system = 'org/oracle'"
        assert query(connection, text)[1] == [("org/oracle", 3, 2, None)] * 2
        text = "SELECT item, ratings, total, raw FROM seceu_answers WHERE item = '1' LIMIT 1"
        assert query(connection, text)[1] == [
            ("1", [5.0, 3.0, 1.5, 0.5], 10.0, "Glad: 5.0, Angry: 3.0, Very angry: 1.5, Ashamed: 0.5")
        ]
        stored = query(connection, "FROM seceu_scores ORDER BY ALL")
        controls = query(connection, "SELECT system, better_than FROM seceu WHERE kind = 'control'")[1]
    assert [(row[2], row[3], row[6], row[9]) for row in rows] == [
        ("3", None, "?", "unparsed"),
        ("3", None, "?", "unparsed"),
        ("5", None, None, "refused"),
        ("5", None, None, "refused"),
    ]
    publish(layout, [], rebuild=True)
    with connect(layout) as connection:
        assert query(connection, "FROM seceu_scores ORDER BY ALL") == stored
    assert controls[0][0] == "best_constant"
    assert "random" in controls[0][1]


def test_a_server_that_cannot_be_used_leaves_nothing(test: Test, layout: Layout) -> None:
    with playing(Reply(status=404)) as server, pytest.raises(ServerError, match="set --model to a name that it lists"):
        Questions(layout, test, Options()).of_server(SeceuServer(server=server.url, model="org/nobody"))
    assert findings.seceu(layout) == ([], [])


def test_a_model_that_says_nothing_of_use_has_no_score(test: Test, layout: Layout, tiny_model: Path) -> None:
    options = Options(examples=0, max_new_tokens=4)
    (found,) = Questions(layout, test, options).of_model(str(tiny_model))
    assert (found["system"], found["answered"], found["distance"]) == (tiny_model.name, 0, None)
    scores, answers = findings.seceu(layout)
    assert [row["fault"] for row in answers] == ["unparsed"] * 5
    assert all(isinstance(row["raw"], str) and row["n_tokens"] <= 4 for row in answers)
    told: list[Any] = []
    again = Questions(layout, test, options, lambda *one: told.append(one))
    assert again.of_model(str(tiny_model)) == scores == [found]
    assert told == []
    assert str(tiny_model.parent) not in str(scores)


def test_a_runs_tuned_model_and_its_base(test: Test, tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path, tiny_model)
    rows = Questions(run.layout, test, Options(examples=0, max_new_tokens=4)).of_run(run)
    assert [(row["system"], row["run_id"]) for row in rows] == [(f"{run.run_id}:tuned", run.run_id), ("base", None)]
    said = {name: [row["raw"] for row in findings.seceu(run.layout)[1] if row["system"] == name] for name in
            (f"{run.run_id}:tuned", "base")}  # fmt: skip
    assert len(said["base"]) == 5
    assert said["base"] != said[f"{run.run_id}:tuned"]


def test_a_run_without_an_adapter(test: Test, tiny_model: Path, tmp_path: Path) -> None:
    run = described(tmp_path, tiny_model, splits=(), finetune={"enabled": False})
    with pytest.raises(WorkspaceError, match="has no adapter"):
        Questions(run.layout, test, Options()).of_run(run)


def test_a_damaged_record_is_named(layout: Layout, test: Test) -> None:
    Questions(layout, test, Options()).controls()
    (path,) = layout.seceu.iterdir()
    path.write_text("{}")
    with pytest.raises(WorkspaceError, match="fsck --repair` sets it aside, `dialoguellm seceu` makes it again"):
        findings.seceu(layout)


@pytest.mark.skipif(not PUBLISHED.is_file(), reason="the published items are not here: set DIALOGUELLM_TEST_DATA")
def test_the_published_items_and_the_constants_that_beat_the_paper(layout: Layout) -> None:
    found = {row["system"]: row for row in Questions(layout, load(PUBLISHED), Options()).controls()}
    assert found["uniform"]["items"] == 40
    assert found["uniform"]["distance"] == pytest.approx(2.12, abs=0.005)
    assert found["in_order"]["distance"] == pytest.approx(1.61, abs=0.005)
    assert [round(found[name]["eq"]) for name in ("uniform", "in_order", "random")] == [112, 122, 75]
    assert [round(found[name]["pattern"], 2) for name in ("uniform", "in_order")] == [-0.31, 0.13]
    assert all(found[name]["distance"] < 2.31 for name in ("uniform", "in_order", "best_constant"))  # DialogueLLM-7B
