"""The views that answer questions, on runs that went through the real stages from score on."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from example_rows import ROWS
from finished_run import ask as answer
from finished_run import write
from scored_run import corpus_lines, recorded, right_but, says, scored

from model import emotions
from model.dialogue import Caption, Instruction, Keyframe, Prediction, Rejected, TrainingStep
from storage import findings
from storage.layout import Layout
from storage.queries import connect, query
from storage.shards import write_shard
from storage.warehouse import publish as store
from tasks.plan import Run
from tasks.publish import publish
from tasks.stages import BY_NAME

VIEWS = sorted((Path(__file__).parents[2] / "storage" / "views").glob("*.sql"))
TEST = [row for row in corpus_lines() if row.split == "test"]
NO_FRAMES = Rejected(TEST[1].utterance_id, "keyframes", "no_frames", "the video has no frames")
EMPTY = {"test_readings", "answer_costs", "seceu", "ablation_cells"}
EMPTY |= {"dev_predictions", "dev_predictions_history", "reports", "reports_history"}
"""Views of what these runs do not do."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Two scored runs that differ in finetune.seed alone: 40 and 36 of 48 lines right, in the first with an untuned
    system; every other line of both has a caption, half of these name an emotion."""
    root = tmp_path_factory.mktemp("views")
    made = []
    settings = {"captions": {"model": "demo"}}
    first = [*right_but(TEST, range(8), label="neutral"), *right_but(TEST, range(0, 48, 2), "untuned")]
    for name, predictions, seed in (("one", first, 0), ("two", right_but(TEST, range(4, 16), label="neutral"), 5)):
        run = recorded(root, predictions, name=name, tables={**settings, "finetune": {"seed": seed}})
        captions = [
            Caption(
                *(row.utterance_id, "A smile.", "demo", "r", "p", 1, 2, ("smile",) if place % 4 else (), 0.1),
                people=((0, 1.0, 2.0, 30.0, 40.0, 0.875),),
                objects=((0, "cup", 5.0, 6.0, 70.0, 80.0, 0.75), (1, "chair", 0.0, 0.0, 9.0, 9.0, 0.625)),
                expressions=((0, 0, 0.0, 0.0, 0.0, 0.75, 0.0, 0.0, 0.25), (0, 1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)),
            )
            for place, row in enumerate(TEST)
            if place % 2
        ]
        write_shard(run.layout, "captions", run.key(BY_NAME["captions"]), 2, captions, {})
        steps = [TrainingStep(n, n / 2, 2.0, 1e-3, 1.0, 100, 0.2, unique_tokens=60 + n) for n in (1, 2)]
        frame = Keyframe(TEST[0].utterance_id, *(getattr(ROWS["keyframes"][0], n) for n in Keyframe.__slots__[1:]))
        write_shard(run.layout, "keyframes", run.key(BY_NAME["keyframes"]), 2, [frame, NO_FRAMES], {})
        shown = Instruction(TEST[0].utterance_id, "video", (), "Ana: so", "joy", 7, (), None)
        write_shard(run.layout, "instructions", run.key(BY_NAME["instructions"]), 2, [shown], {})
        write_shard(run.layout, "training_log", run.key(BY_NAME["finetune"]), 0, steps, {})
        made.append(scored(run))
        publish(run)
    return made[0], made[1]


def ask(runs: tuple[Run, Run], text: str) -> list[tuple[Any, ...]]:
    with connect(runs[0].layout) as connection:
        return query(connection, text.format(first=f"'{runs[0].run_id}'", second=f"'{runs[1].run_id}'"))[1]


@pytest.mark.parametrize("path", VIEWS, ids=lambda path: path.stem)
def test_each_file_is_one_view_with_its_question_grain_and_columns(path: Path, runs: tuple[Run, Run]) -> None:
    text = path.read_text()
    head = "".join(line.removeprefix("--") for line in text.partition("CREATE")[0].splitlines())
    assert re.search(r"\?.*Grain: .*Columns: ", head)
    assert re.findall(r"^CREATE OR REPLACE VIEW (\w+)", text, flags=re.M) == [path.stem]
    with connect(runs[0].layout) as connection:
        columns, rows = query(connection, f"FROM {path.stem}")
    if path.stem not in EMPTY:
        assert rows
    if path.stem not in ("lineage", "seeds", "scores"):  # their heads sum up several columns
        for name in columns:
            assert re.search(rf"\b{name}\b", head.partition("Columns: ")[2]) or name.endswith(("_low", "_high")), name


def test_the_best_run_says_of_how_many(runs: tuple[Run, Run]) -> None:
    rows = ask(runs, "SELECT corpus, split, run_id, system, chosen_from FROM best_runs")
    assert rows == [("demo", "test", runs[0].run_id, "tuned", 3)]


def test_scores_of_a_label(runs: tuple[Run, Run]) -> None:
    text = (
        "SELECT label, support, precision, recall FROM class_scores WHERE run_id = {first} AND system = 'tuned' LIMIT 3"
    )
    # the first two dialogues are all called neutral: 4 of their 8 lines are
    assert ask(runs, text) == [("neutral", 24, 0.8571, 1.0), ("anger", 12, 1.0, 0.8333), ("joy", 12, 1.0, 0.8333)]


def test_what_flipped_between_two_runs(runs: tuple[Run, Run]) -> None:
    where = "first_run = {} AND second_run = {} AND system = 'tuned'"
    text = f"SELECT flip, count(*) FROM flips WHERE {where} GROUP BY ALL ORDER BY 1"
    # neutral lines that are called neutral are right: of four lines in a dialogue two can flip
    assert ask(runs, text.format("{first}", "{second}")) == [("gained", 2), ("lost", 4)]
    assert ask(runs, text.format("{second}", "{first}")) == [("gained", 4), ("lost", 2)]


def test_the_worst_dialogues_come_first(runs: tuple[Run, Run]) -> None:
    text = "SELECT dialogue, utterances, wrong, accuracy, mistakes FROM worst_dialogues WHERE run_id = {second} LIMIT 2"
    mistakes = ["joy → neutral", "anger → neutral"]
    assert ask(runs, text) == [(f"demo/test/{dialogue}", 4, 2, 0.5, mistakes) for dialogue in (1, 2)]


def test_scores_of_a_speaker(runs: tuple[Run, Run]) -> None:
    columns = "speaker, dialogues, utterances, accuracy, neutral, called_neutral, often"
    rows = ask(runs, f"SELECT {columns} FROM speaker_scores WHERE run_id = {{first}} AND system = 'tuned'")
    assert rows[0][:-1] == ("Ana", 12, 48, 0.9167, 0.5, 0.5833)
    assert rows[0][-1] in ("joy → neutral", "anger → neutral")  # as often


def test_captions_that_name_an_emotion_against_those_that_do_not(runs: tuple[Run, Run]) -> None:
    columns = "caption, utterances, dialogues, accuracy"
    rows = ask(runs, f"SELECT {columns} FROM caption_effect WHERE run_id = {{first}} AND system = 'tuned'")
    assert [row[:3] for row in rows] == [("names an emotion", 24, 12), ("no caption", 24, 12)]


def test_the_bias_to_neutral_is_told_of_every_system(runs: tuple[Run, Run]) -> None:
    rows = ask(
        runs,
        "SELECT system, gold, predicted, excess, recall, missed, of_mistakes FROM neutral_bias WHERE run_id = {first}",
    )
    found = {row[0]: row[1:] for row in rows}
    assert found["tuned"] == (0.5, 0.5833, 0.0833, 1.0, 0.1667, 1.0)
    assert found["majority"] == (0.5, 1.0, 0.5, 1.0, 1.0, 1.0)
    assert set(found) == {"tuned", "untuned", "majority", "tfidf_lr"}


def test_confused_pairs_have_examples(runs: tuple[Run, Run]) -> None:
    columns = "gold, utterances, share, examples"
    text = f"SELECT {columns} FROM confusions WHERE run_id = {{first}} AND system = 'tuned' ORDER BY gold"
    assert ask(runs, text) == [
        ("anger", 2, 0.167, ["demo/test/0/3", "demo/test/1/3"]),
        ("joy", 2, 0.167, ["demo/test/0/2", "demo/test/1/2"]),
    ]


def test_confidence_is_binned_as_in_the_report(runs: tuple[Run, Run]) -> None:
    from tasks.confidence import reliability

    columns = "above, up_to, utterances, confidence, accuracy"
    text = f"SELECT {columns} FROM reliability WHERE run_id = {{first}} AND system = 'tuned'"
    (ours,) = reliability(right_but(TEST, range(8), label="neutral"))
    assert ask(runs, text) == [(ours.low, ours.high, ours.count, round(ours.confidence, 4), round(ours.accuracy, 4))]


def test_the_cost_of_a_run(runs: tuple[Run, Run]) -> None:
    ((seconds, own, rows, shards, attempts, failed),) = ask(
        runs, "SELECT seconds, own_seconds, rows, shards, attempts, failed FROM run_costs WHERE run_id = {first}"
    )
    assert seconds >= own >= 0
    assert rows > 200
    assert (shards, attempts, failed) == (9, 1, 0)  # utterances thrice, and once of six stages more


def test_runs_that_differ_in_the_seed_of_training_are_one_setup(runs: tuple[Run, Run]) -> None:
    columns = "runs, seeds, run_ids, accuracy, accuracy_sd, weighted_f1_sd"
    ((count, seeds, ids, mean, sd, other),) = ask(runs, f"SELECT {columns} FROM seeds WHERE system = 'tuned'")
    assert (count, seeds, ids) == (2, [0, 5], [runs[0].run_id, runs[1].run_id])
    assert (mean, sd) == (pytest.approx((44 + 42) / 96, abs=1e-4), pytest.approx(2**0.5 / 48, abs=1e-4))
    assert other > 0


def test_another_setting_is_another_setup(tmp_path: Path) -> None:
    made = [
        scored(recorded(tmp_path, right_but(TEST, [place]), name=name, tables={"finetune": values}))
        for place, (name, values) in enumerate(
            [("a", {}), ("b", {"seed": 1}), ("c", {"r": 4}), ("d", {"seed": 1, "threads": 1}), ("e", {"seed": 2})]
        )
    ]
    with connect(made[0].layout) as connection:
        rows = query(connection, "SELECT runs, seeds FROM seeds WHERE system = 'tuned' ORDER BY runs")[1]
    assert rows == [(1, [0]), (3, [0, 1, 2])]  # d has b's adapter: another number of threads is no other run


def test_readings_of_the_test_split_are_counted_by_adapter(layout: Layout) -> None:
    facts = write(layout)
    read = facts.rows["test_reads"][0]
    rows = [
        {**read, "adapter_key": "a1"},
        {**read, "adapter_key": "a1", "why": "rerun --stage evaluate --force", "attempt": 2},
        {**read, "adapter_key": None},
    ]
    facts.rows["test_reads"][:] = rows  # type: ignore[index]
    store(layout, [facts])
    with connect(layout) as connection:
        found = query(connection, "SELECT adapter_key, readings, runs, why FROM test_readings")[1]
    assert found == [("a1", 2, ["demo-1"], ["rerun --stage evaluate --force", "run"]), (None, 1, ["demo-1"], ["run"])]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "workspace")


def test_comparisons_are_those_of_the_files(layout: Layout) -> None:
    row = {"comparison": "k", "first": "a:tuned", "second": "b:tuned", "corpus": "demo", "split": "test", "p": 0.5}
    findings.save_comparison(layout, "k", [{**row, "metric": name} for name in ("accuracy", "macro_f1")])
    for _ in range(2):
        store(layout, [])
        assert answer(layout, "SELECT metric, p, low FROM comparisons") == [
            ("accuracy", 0.5, None),
            ("macro_f1", 0.5, None),
        ]
    findings.save_comparison(layout, "l", [{**row, "comparison": "l", "metric": "accuracy", "swap_p": 0.25}])
    store(layout, [])
    assert answer(layout, "SELECT swap_p FROM comparisons ORDER BY ALL") == [(0.25,), (None,), (None,)]
    for path in layout.comparisons.iterdir():
        path.unlink()
    store(layout, [])
    assert answer(layout, "FROM comparisons") == []


def test_no_probabilities_and_no_answers_are_no_fault(tmp_path: Path) -> None:
    run = scored(recorded(tmp_path, [says(row, None) for row in TEST]))
    with connect(run.layout) as connection:
        for path in VIEWS:
            query(connection, f"FROM {path.stem}")
        assert query(connection, "FROM reliability")[1] == []
        assert query(connection, "SELECT predicted, of_mistakes FROM neutral_bias WHERE system = 'tuned'")[1] == [
            (0, 0)
        ]


def test_training_has_its_speed_and_its_shared_tokens(runs: tuple[Run, Run]) -> None:
    text = "SELECT step, loss, unique_share, tokens_per_s, dev_loss FROM training WHERE run_id = {second}"
    assert ask(runs, text) == [(1, 2.0, 0.61, 500.0, None), (2, 2.0, 0.62, 500.0, None)]


def test_emotion_words_mean_the_same_to_sql() -> None:
    text = files("storage").joinpath("views/caption_quality.sql").read_text()
    assert dict(re.findall(r"\('(\w+)', '(\w+)'\)", text)) == emotions._MEANING


def test_what_generated_answers_cost(tmp_path: Path) -> None:
    """A million prompt tokens at 2 and a million of answers at 10; a line without a count leaves the cost unknown."""
    answered = [
        Prediction(row.utterance_id, "org/oracle", row.emotion, None if at == 1 else row.emotion, {}, "…", 0.5, 100, 3)
        for at, row in enumerate(TEST[:4])
    ]
    prices = {"price_prompt": 2.0, "price_answer": 10.0}
    counted = recorded(tmp_path, [*answered, *right_but(TEST, [])], name="counted", tables={"evaluate": prices})
    other = {"evaluate": {**prices, "seed": 1}}  # prices alone make no other key
    silent = recorded(tmp_path, [*answered[:3], replace(answered[3], n_tokens=None)], name="silent", tables=other)
    for run in (counted, silent):
        publish(run)
    text = "SELECT run_id, system, answers, unparsed, prompt_tokens, answer_tokens, uncounted, cost FROM answer_costs"
    with connect(counted.layout) as connection:
        found = {row[0]: row[1:] for row in query(connection, text)[1]}
    assert found[counted.run_id] == ("org/oracle", 4, 1, 400, 12, 0, pytest.approx((400 * 2 + 12 * 10) / 1e6))
    assert found[silent.run_id] == ("org/oracle", 4, 1, 400, 9, 1, None)


def test_what_detectors_found_is_a_row_each(runs: tuple[Run, Run]) -> None:
    described = ask(runs, "SELECT count(*) FROM captions")[0][0]
    (people,) = ask(runs, "SELECT count(*), min(score), max(x), max(height) FROM people")
    assert people == (described, 0.875, 1.0, 40.0)
    things = ask(runs, "SELECT name, count(*), max(rank), max(x), max(height), max(score) FROM objects GROUP BY ALL")
    assert sorted(things) == [("chair", described, 1, 0.0, 9.0, 0.625), ("cup", described, 0, 5.0, 80.0, 0.75)]
    faces = ask(
        runs, "SELECT face, count(*), max(happy), max(neutral), max(rank) FROM expressions GROUP BY face ORDER BY 1"
    )
    assert faces == [(0, described, 0.75, 0.25, 0), (1, described, 0.0, 1.0, 0)]
