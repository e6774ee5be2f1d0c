from __future__ import annotations

import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from causal_models import build_causal
from pydantic import ValidationError

from model import emotions, lora, packing, predictor, training_state, weights
from model.dialogue import Instruction, TrainingStep
from model.errors import TrainingError
from tasks import training_board
from tasks.finetune import STAGE, training_examples
from tasks.finetune_settings import FinetuneSettings
from tasks.stage import Context

pytestmark = pytest.mark.usefixtures("one_thread")

LABELS = ("joy", "anger", "neutral")
ALL_LABELS = emotions.labels("demo")


def row(split: str, dialogue: int, turn: int) -> Instruction:
    answer = LABELS[(dialogue + turn) % 3]
    text = f"Name the emotion.\nRoss: {'oh ' * (turn + 1)}{answer[:2]} {dialogue}\n"
    return Instruction(f"demo/{split}/{dialogue}/{turn}", "sound", (("user", text),), text, answer, 9, (), None)


@pytest.fixture(scope="module", autouse=True)
def counted(tiny_model: Path) -> None:
    """The rows as the instructions stage leaves them for the tiny model: with the length of their prompts."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    ROWS[:] = [replace(row, n_prompt_tokens=len(tokenizer(row.prompt).input_ids)) for row in ROWS]


ROWS = [row("train", d, t) for d in range(6) for t in range(3)] + [row("dev", d, t) for d in (7, 8) for t in range(3)]


def settings(model: Path, **given: Any) -> FinetuneSettings:
    fixed: dict[str, Any] = {"r": 4, "epochs": 2, "batch_size": 8, "learning_rate": 5e-3, "seed": 3}
    return FinetuneSettings(model=str(model), **fixed | given)


def run(folder: Path, values: FinetuneSettings, rows: list[Instruction] = ROWS, **given: Any) -> list[TrainingStep]:
    context = Context(cache=folder / "cache", folder=folder / "model", **given)
    return list(STAGE.run({"instructions": rows}, values, context))


def test_the_adapter_is_left_for_the_next_stage(tiny_model: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    steps = run(tmp_path, settings(tiny_model), progress=lambda *given: told.append(given))
    assert [step.step for step in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[2].dev_loss is not None
    assert steps[5].dev_loss is not None
    assert 0 <= (steps[5].dev_weighted_f1 or 0) <= 1
    assert steps[5].dev_loss < steps[2].dev_loss
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"adapter", "training.json"}
    lora.load(tiny_model, tmp_path / "model" / "adapter", device="cpu")
    assert training_state.base_of(tmp_path / "model") == weights.identity(str(tiny_model))
    assert told[-1] == (6, 6, "steps on 18 of 18 rows")


def test_dev_loss_is_that_of_the_gold_answers(tiny_model: Path, tmp_path: Path) -> None:
    (step,) = run(tmp_path, settings(tiny_model, max_steps=1, keep="last"))
    model, tokenizer = lora.load(tiny_model, tmp_path / "model" / "adapter", device="cpu")
    import torch

    total, tokens = 0.0, 0
    for one in ROWS[18:]:
        prompt, answer = tokenizer(one.prompt).input_ids, [*tokenizer(one.answer).input_ids, tokenizer.eos_token_id]
        labels = [-100] * len(prompt) + answer
        with torch.no_grad():
            loss = model(input_ids=torch.tensor([prompt + answer]), labels=torch.tensor([labels])).loss
        total += float(loss) * len(answer)
        tokens += len(answer)
    assert step.dev_loss == pytest.approx(total / tokens, rel=1e-4)


def test_same_settings_same_adapter_other_seed_another(tiny_model: Path, tmp_path: Path) -> None:
    adapters = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        run(tmp_path / name, settings(tiny_model, max_steps=2, seed=seed))
        adapters.append((tmp_path / name / "model" / "adapter" / "adapter_model.safetensors").read_bytes())
    assert adapters[0] == adapters[1] != adapters[2]


def test_a_subset_is_drawn_by_the_seed_and_declared(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []
    values = settings(tiny_model, max_examples=5, max_dev_examples=2, batch_size=5, max_steps=1)
    with caplog.at_level(logging.INFO, logger="tasks.finetune"):
        (step,) = run(tmp_path, values, progress=lambda _done, _total, what: told.append(what))
    assert step.epoch == 1.0
    assert "5 of 18 train rows, 2 of 6 dev rows, seed 3" in caplog.text
    assert told[-1] == "steps on 5 of 18 rows"


def test_without_dev_rows_the_last_adapter_is_kept(tiny_model: Path, tmp_path: Path) -> None:
    steps = run(tmp_path, settings(tiny_model, max_steps=2), rows=ROWS[:18])
    assert all(step.dev_loss is None for step in steps)
    assert (tmp_path / "model" / "adapter" / "adapter_config.json").is_file()


def test_switched_off_it_does_nothing(tiny_model: Path, tmp_path: Path) -> None:
    assert run(tmp_path, settings(tiny_model, enabled=False)) == []
    assert not (tmp_path / "model").exists()


def test_gates_come_before_the_weights(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="1 rows belong to the test split: demo/test/9/0"):
        run(tmp_path, settings(tmp_path / "no model here"), rows=[*ROWS, row("test", 9, 0)])


def test_the_key_holds_the_weights_and_not_the_machine(tiny_model: Path) -> None:
    assert STAGE.identity(settings(tiny_model)) == {"model": weights.identity(str(tiny_model))}
    fields = settings(tiny_model, micro_batch=2, threads=1, checkpoint_every=7).key_fields()
    assert fields == settings(tiny_model).key_fields()
    others = {"hosts": 2, "rendezvous": "a:1", "host_timeout": 9, "shard_base": True, "tensorboard": True}
    assert fields == settings(tiny_model, **others).key_fields()
    assert "model" not in fields
    assert fields != settings(tiny_model, r=8).key_fields()
    assert STAGE.splits == {"train", "dev"}


@pytest.mark.parametrize(
    "wrong", [{"r": 0}, {"learning_rate": -1}, {"dropout": 1.0}, {"schedule": "sine"}, {"batch_size": 0}, {"lr": 1}]
)
def test_settings_that_make_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FinetuneSettings(**wrong)


def test_prompts_are_those_of_prediction_token_for_token(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[packing.Item] = []
    model, tokenizer = lora.load(tiny_model, device="cpu")
    real = predictor.token_log_probs
    monkeypatch.setattr(
        predictor, "token_log_probs", lambda model, items, **given: seen.extend(items) or real(model, items, **given)
    )
    predictor.score(model, tokenizer, [one.prompt for one in ROWS], LABELS, batch_size=1)
    predicted = {item.prompt: item.answers for item in seen}
    for values in (settings(tiny_model), settings(tiny_model, logit_adjust=1.0)):
        for one, example in zip(ROWS, training_examples(tokenizer, ROWS, values), strict=True):
            answers = predicted[example.item.prompt]
            assert example.item.answers[example.gold] == answers[LABELS.index(one.answer)]


@pytest.mark.parametrize("given", [{"class_weights": "balanced"}, {"logit_adjust": 1.0}, {"loss_on": "all"}])
def test_every_loss_trains_and_the_dev_scores_are_plain(
    tiny_model: Path, tmp_path: Path, given: dict[str, Any]
) -> None:
    one = {"epochs": 4, "learning_rate": 1e-2, "dropout": 0.0, "keep": "last", "best_by": "weighted_f1"}
    rows = [row for row in ROWS if (row.answer, row.utterance_id[:12]) != ("joy", "demo/train/0")]  # not all as often
    steps = run(tmp_path, settings(tiny_model, **one, **given), rows=rows)
    assert sum(step.loss for step in steps[-3:]) < sum(step.loss for step in steps[:3])
    plain = run(tmp_path / "plain", settings(tiny_model, **one), rows=rows)
    assert steps[0].loss != plain[0].loss
    scored = [step for step in steps if step.dev_loss is not None]
    assert len(scored) == 4
    model, tokenizer = lora.load(tiny_model, tmp_path / "model" / "adapter", device="cpu")
    found = predictor.score(model, tokenizer, [one.prompt for one in ROWS[18:]], ALL_LABELS)
    gold = [ALL_LABELS.index(one.answer) for one in ROWS[18:]]
    total = -sum(one.log_probs[place] for one, place in zip(found, gold, strict=True))
    tokens = sum(one.n_tokens[place] for one, place in zip(found, gold, strict=True))
    assert scored[-1].dev_loss == pytest.approx(total / tokens, rel=1e-4)


def test_a_label_without_rows_is_named(tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="tasks.finetune"):
        run(tmp_path, settings(tiny_model, max_steps=1))
    assert "no train row of demo/sadness, demo/surprise, demo/fear, demo/disgust" in caplog.text


def test_what_dev_rows_and_bases_are_like_is_said(tiny_model: Path, tmp_path: Path, caplog: Any) -> None:
    base = build_causal("GPTNeo", tiny_model, tmp_path / "neo")
    config = json.loads((tiny_model / "config.json").read_text())
    near = tmp_path / "near"
    shutil.copytree(tiny_model, near)
    (near / "config.json").write_text(json.dumps({**config, "sliding_window": 4}))
    seen = replace(ROWS[1], context_ids=("demo/train/0/0",))
    rows = [ROWS[0], seen, *ROWS[2:], replace(seen, utterance_id="demo/dev/9/1", context_ids=("demo/dev/9/0",))]
    with caplog.at_level(logging.WARNING):
        (step,) = run(tmp_path / "a", settings(base, max_steps=1), rows=rows)
        (far,) = run(tmp_path / "b", settings(near, max_steps=1))
    assert "1 dev rows show the same lines as train rows, their context too: demo/dev/9/1" in caplog.text
    assert "GPTNeoForCausalLM cannot share its prompts' common start" in caplog.text
    assert "18 of 18 rows are longer than the model's window: they are computed padded" in caplog.text
    assert step.unique_tokens == step.tokens
    assert far.unique_tokens == far.tokens


def test_a_base_without_pad_token_and_chat_template_trains_the_same(tiny_model: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    shutil.copytree(tiny_model, bare)
    (bare / "chat_template.jinja").unlink()
    config = json.loads((bare / "tokenizer_config.json").read_text())
    del config["pad_token"]
    (bare / "tokenizer_config.json").write_text(json.dumps(config))
    adapters = []
    for name, model in (("a", tiny_model), ("b", bare)):
        run(tmp_path / name, settings(model, max_steps=2))
        adapters.append((tmp_path / name / "model" / "adapter" / "adapter_model.safetensors").read_bytes())
    assert adapters[0] == adapters[1]


def test_prompts_counted_with_another_tokenizer_are_refused(tiny_model: Path, tmp_path: Path) -> None:
    rows = [replace(ROWS[0], n_prompt_tokens=ROWS[0].n_prompt_tokens + 1), *ROWS[1:]]
    with pytest.raises(TrainingError, match=r"1 rows have prompts of other lengths .*: demo/train/0/0; set finetune"):
        run(tmp_path, settings(tiny_model), rows=rows)


def test_less_memory_gives_the_same_adapter_and_another_precision_another(tiny_model: Path, tmp_path: Path) -> None:
    adapters = {}
    for name, given in {
        "plain": {},
        "again": {"gradient_checkpointing": True},
        "half": {"precision": "bfloat16"},
    }.items():
        run(tmp_path / name, settings(tiny_model, max_steps=2, **given))
        adapters[name] = (tmp_path / name / "model" / "adapter" / "adapter_model.safetensors").read_bytes()
    assert adapters["plain"] == adapters["again"] != adapters["half"]


def test_four_bits_without_a_gpu_are_refused_before_the_first_step(tiny_model: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(TrainingError, match="needs a GPU"):
        run(tmp_path, settings(tiny_model, quantize="4bit"))
    assert not (tmp_path / "model").exists()


def test_two_processes_train_the_adapter_of_one(tiny_model: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    found = []
    for processes in (1, 2):
        values = settings(tiny_model, processes=processes, max_steps=3, dropout=0.0)
        assert values.key_fields() == settings(tiny_model, max_steps=3, dropout=0.0).key_fields()
        folder = tmp_path / str(processes)
        steps = run(folder, values)
        found.append((steps, load_file(folder / "model" / "adapter" / "adapter_model.safetensors")))
    (one, ours), (two, theirs) = found
    assert [step.loss for step in two] == pytest.approx([step.loss for step in one], rel=1e-4)
    assert two[-1].dev_loss == pytest.approx(one[-1].dev_loss, rel=1e-4)
    assert all(torch.allclose(value, theirs[name], atol=1e-4) for name, value in ours.items())


def test_the_speaker_task_is_mixed_into_training_and_not_into_the_dev_rows(tiny_model: Path, tmp_path: Path) -> None:
    def shown(one: Instruction) -> Instruction:
        body = f"Monica: What now?\n{one.messages[0][1].splitlines()[1]}"
        return replace(one, variant="sound-c1-name-nodesc", messages=(("system", "Name it."), ("user", body)))

    rows = [shown(one) for one in ROWS]
    told: list[int] = []
    values = settings(tiny_model, speaker_task=0.5, epochs=1)
    steps = run(tmp_path, values, rows=rows, progress=lambda _done, total, _what: told.append(total))
    assert told[-1] == len(steps) == 4  # 18 rows and 9 questions in batches of 8
    plain = run(tmp_path / "plain", settings(tiny_model, epochs=1), rows=rows)
    assert sum(step.tokens for step in steps) > sum(step.tokens for step in plain) * 1.3
    assert steps[-1].dev_weighted_f1 is not None


def test_tensorboard_is_asked_for_before_anything_is_read(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(training_board, "find_spec", lambda _name: None)
    with pytest.raises(TrainingError, match=r"dialoguellm\[tensorboard\]"):
        run(tmp_path, settings(tmp_path / "no-model", tensorboard=True), rows=[])


def test_the_log_is_written_for_tensorboard_too(tiny_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    steps = run(tmp_path, settings(tiny_model, max_steps=2, tensorboard=True))
    assert len(steps) == 2
    assert list((tmp_path / "model" / "tensorboard").glob("events.out.tfevents.*"))


def test_a_host_that_lends_does_not_train(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("NODE_RANK", "1")
    with pytest.raises(TrainingError, match=r"this is host 1: .* host 0 trains"):
        run(tmp_path, settings(tmp_path / "no-model", hosts=2, rendezvous="10.0.0.1:29500"))
