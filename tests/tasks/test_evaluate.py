from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playing_server import Reply, Seen, playing, says

from model import emotions, lora, predictor, weights
from model.dialogue import Instruction, Prediction, Rejected
from model.emotions import labels
from model.errors import ServerError, TrainingError
from tasks import evaluate, finetune
from tasks.evaluate import STAGE, EvaluateSettings
from tasks.stage import Context

pytestmark = pytest.mark.usefixtures("one_thread")


def row(split: str, dialogue: int, turn: int, answer: str = "joy") -> Instruction:
    text = f"Name the emotion.\nRoss: {'oh ' * (turn + 1)}line {dialogue}\n"
    return Instruction(f"demo/{split}/{dialogue}/{turn}", "sound", (("user", text),), text, answer, 9, (), None)


ROWS = [row("test", d, t, ("joy", "anger")[d % 2]) for d in range(3) for t in range(4)]


@pytest.fixture(scope="module")
def tuned(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finetune stage's folder after a few steps."""
    folder = tmp_path_factory.mktemp("tuned")
    rows = [row("train", d, t, ("joy", "anger")[d % 2]) for d in range(4) for t in range(4)]
    tokenizer = lora.load(tiny_model, device="cpu")[1]
    rows = [replace(one, n_prompt_tokens=len(tokenizer(one.prompt).input_ids)) for one in rows]
    values = finetune.FinetuneSettings(model=str(tiny_model), max_steps=5, learning_rate=2e-2, batch_size=8)
    list(finetune.STAGE.run({"instructions": rows}, values, Context(cache=folder, folder=folder)))
    return folder


def run(
    model: Path, tmp_path: Path, tuned: Path | None, rows: Sequence[Instruction] = ROWS, **given: Any
) -> list[Prediction | Rejected]:
    progress = given.pop("progress", lambda *_given: None)
    folders = {"finetune": tuned} if tuned else {}
    context = Context(cache=tmp_path, folder=tmp_path, folders=folders, progress=progress)
    return list(STAGE.run({"instructions": rows}, EvaluateSettings(model=str(model), **given), context))


def test_both_systems_score_every_row(tiny_model: Path, tmp_path: Path, tuned: Path) -> None:
    told: list[tuple[int, int, str]] = []
    found = run(tiny_model, tmp_path, tuned, progress=lambda *given: told.append(given))
    assert [(one.utterance_id, one.system) for one in found] == [
        (one.utterance_id, system) for system in ("tuned", "untuned") for one in ROWS
    ]
    for one in found:
        assert isinstance(one, Prediction)
        assert tuple(one.scores) == labels("demo")
        assert sum(one.scores.values()) == pytest.approx(1)
        assert one.predicted == one.raw == max(one.scores, key=one.scores.__getitem__)
        assert one.gold in ("joy", "anger")
    assert told[-1] == (24, 24, "predictions")


def test_the_scores_are_those_of_the_adapter_and_of_the_base(tiny_model: Path, tmp_path: Path, tuned: Path) -> None:
    found = run(tiny_model, tmp_path, tuned)
    for system, adapter in (("tuned", tuned / "adapter"), ("untuned", None)):
        model, tokenizer = lora.load(tiny_model, adapter, device="cpu")
        exact = predictor.score(model, tokenizer, [one.prompt for one in ROWS], labels("demo"), share=False)
        ours = [one for one in found if isinstance(one, Prediction) and one.system == system]
        for mine, theirs in zip(ours, exact, strict=True):
            assert tuple(mine.scores.values()) == pytest.approx(theirs.probabilities, rel=1e-3)


def test_the_model_is_loaded_once_for_all_shards(
    tiny_model: Path, tmp_path: Path, tuned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate._load.cache_clear()
    loads = []
    real = lora.load
    monkeypatch.setattr(lora, "load", lambda *given: loads.append(given) or real(*given))
    first = run(tiny_model, tmp_path, tuned, rows=ROWS[:4])
    run(tiny_model, tmp_path, tuned, rows=ROWS[4:])
    again = run(tiny_model, tmp_path, tuned, rows=ROWS[:4])
    assert len(loads) == 1
    assert [one.scores for one in first if isinstance(one, Prediction)] == [
        one.scores for one in again if isinstance(one, Prediction)
    ]
    (tuned / "adapter" / "adapter_model.safetensors").touch()
    run(tiny_model, tmp_path, tuned, rows=ROWS[:4])
    assert len(loads) == 2


@pytest.mark.parametrize(
    ("with_adapter", "untuned", "systems"),
    [
        (True, False, {"tuned"}),
        (True, True, {"tuned", "untuned"}),
        (False, True, {"untuned"}),
        (False, False, {"untuned"}),
    ],
)
def test_which_systems_are_scored(
    tiny_model: Path, tmp_path: Path, tuned: Path, with_adapter: bool, untuned: bool, systems: set[str]
) -> None:
    found = run(tiny_model, tmp_path, tuned if with_adapter else None, rows=ROWS[:2], untuned=untuned)
    assert {one.system for one in found if isinstance(one, Prediction)} == systems


def test_an_unknown_gold_label_is_rejected(tiny_model: Path, tmp_path: Path) -> None:
    found = run(tiny_model, tmp_path, None, rows=[row("test", 0, 0, "hungry"), ROWS[1]])
    assert [type(one) for one in found] == [Rejected, Prediction]
    assert isinstance(found[0], Rejected)
    assert found[0].reason == "unknown_gold"


def test_scores_that_are_not_finite_are_rejected_and_never_a_label(
    tiny_model: Path, tmp_path: Path, tuned: Path
) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(tuned, tmp_path / "broken")
    weights_file = tmp_path / "broken" / "adapter" / "adapter_model.safetensors"
    save_file({name: value * float("nan") for name, value in load_file(weights_file).items()}, weights_file)
    found = run(tiny_model, tmp_path, tmp_path / "broken", rows=ROWS[:2])
    assert [(type(one), one.utterance_id) for one in found] == [
        (kind, one.utterance_id) for kind in (Rejected, Prediction) for one in ROWS[:2]
    ]
    assert isinstance(found[0], Rejected)
    assert (found[0].reason, found[0].stage) == ("no_score", "evaluate")
    assert "the tuned model's scores are not finite" in found[0].detail


def test_a_share_of_the_dialogues_is_the_same_in_whatever_shards(tiny_model: Path, tmp_path: Path) -> None:
    rows = [row("test", d, t) for d in range(40) for t in range(2)]
    found = run(tiny_model, tmp_path, None, rows=rows, share=0.5)
    dialogues = {one.utterance_id.rsplit("/", 1)[0] for one in found}
    assert 10 < len(dialogues) < 30
    assert len(found) == 2 * len(dialogues)
    parts = [one for part in (rows[:30], rows[30:]) for one in run(tiny_model, tmp_path, None, rows=part, share=0.5)]
    assert {one.utterance_id for one in parts} == {one.utterance_id for one in found}


def test_no_rows_need_no_model(tmp_path: Path) -> None:
    assert run(tmp_path / "none", tmp_path, None, rows=[]) == []


def test_an_adapter_of_another_base_is_refused(tiny_qwen2: Path, tiny_model: Path, tmp_path: Path, tuned: Path) -> None:
    with pytest.raises(TrainingError, match=r"set evaluate\.model to finetune\.model"):
        run(tiny_qwen2, tmp_path, tuned)
    shutil.copytree(tuned / "adapter", tmp_path / "half" / "adapter")
    with pytest.raises(TrainingError, match="run the finetune stage first"):
        run(tiny_model, tmp_path, tmp_path / "half")


@pytest.mark.parametrize("method", ["score", "constrained", "generate"])
def test_an_adapter_of_another_corpus_answers_in_the_labels_of_the_row(
    tiny_model: Path, tmp_path: Path, tuned: Path, method: str
) -> None:
    rows = [replace(one, utterance_id=one.utterance_id.replace("demo", "emorynlp"), answer="mad") for one in ROWS]
    found = run(tiny_model, tmp_path, tuned, rows=rows, method=method, max_new_tokens=2)
    assert len(found) == 2 * len(rows)
    for one in found:
        assert isinstance(one, Prediction)
        assert one.gold == "mad"
        assert one.predicted in (labels("emorynlp") if method != "generate" else (*labels("emorynlp"), None))


def test_the_key_holds_the_weights_and_not_the_machine(tiny_model: Path) -> None:
    values = EvaluateSettings(model=str(tiny_model), batch_size=2, threads=1)
    assert STAGE.identity(values) == {"model": weights.identity(str(tiny_model))}
    assert values.key_fields() == EvaluateSettings().key_fields()
    assert STAGE.splits == {"test"}
    assert STAGE.after == ("finetune",)


def test_constrained_generation_gives_the_greedy_label_of_the_same_numbers(tiny_model: Path, tmp_path: Path) -> None:
    model, tokenizer = lora.load(tiny_model, device="cpu")
    exact = predictor.score(model, tokenizer, [one.prompt for one in ROWS], labels("demo"), share=False)
    found = run(tiny_model, tmp_path, None, method="constrained")
    assert [one.predicted for one in found if isinstance(one, Prediction)] == [
        labels("demo")[one.greedy] for one in exact
    ]
    assert {(*one.scores,) for one in found if isinstance(one, Prediction)} == {()}


@pytest.mark.parametrize("beams", [1, 4])
def test_free_generation_by_both_systems_in_whatever_batches(
    tiny_model: Path, tmp_path: Path, tuned: Path, beams: int
) -> None:
    asked = {"method": "generate", "max_new_tokens": 3, "num_beams": beams, "repetition_penalty": 1.15}
    found = run(tiny_model, tmp_path, tuned, **asked)
    assert [(one.utterance_id, one.system) for one in found] == [
        (one.utterance_id, system) for system in ("tuned", "untuned") for one in ROWS
    ]
    made = [one for one in found if isinstance(one, Prediction)]
    for one in made:
        assert one.predicted == emotions.parse(one.raw, "demo")
        assert one.scores == {}
        assert one.n_prompt_tokens
        assert one.n_tokens in (1, 2, 3)
    assert {one.raw for one in made if one.system == "tuned"} != {one.raw for one in made if one.system == "untuned"}
    again = run(tiny_model, tmp_path, tuned, **asked, batch_size=5)
    assert [replace(one, seconds=0.0) for one in again if isinstance(one, Prediction)] == [
        replace(one, seconds=0.0) for one in made
    ]


def served(url: str, **given: Any) -> dict[str, Any]:
    return {"server": url, "method": "generate", "server_timeout_s": 20.0, **given}


def test_a_servers_model_is_a_system_of_its_own_name(tmp_path: Path) -> None:
    replies = [says("Joy."), says("I cannot say"), Reply(b"<html>"), says("")]
    told: list[tuple[int, int, str]] = []

    def play(request: Seen, _number: int) -> Reply:
        turn = request.body["messages"][0]["content"].count("oh ") - 1
        return replies[turn]

    with playing(play=play) as server:
        given = served(server.url, progress=lambda *seen: told.append(seen))
        found = run(Path("org/oracle"), tmp_path, None, rows=ROWS[:4], **given)
        assert {seen.body["model"] for seen in server.seen} == {"org/oracle"}
    assert [one.utterance_id for one in found] == [one.utterance_id for one in ROWS[:4]]
    said = [(one.system, one.predicted, one.raw) if isinstance(one, Prediction) else one.reason for one in found]
    assert said == [
        ("org/oracle", "joy", "Joy."),
        ("org/oracle", None, "I cannot say"),
        "bad_answer",
        ("org/oracle", None, ""),
    ]
    assert told[-1] == (4, 4, "answers")


def test_a_server_that_no_request_can_use_stops_with_one_error(tmp_path: Path) -> None:
    with playing(Reply(status=404)) as server, pytest.raises(ServerError, match=r"evaluate\.model"):
        run(Path("org/gone"), tmp_path, None, rows=ROWS[:2], **served(server.url))


def test_a_servers_key_holds_its_models_name() -> None:
    values = EvaluateSettings(model="org/oracle", **served("http://127.0.0.1:1/v1"))
    assert STAGE.identity(values) == {"model": "server:org/oracle"}
