from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from model import lora, packing, predictor

pytestmark = pytest.mark.usefixtures("one_thread")

PROMPTS = [f"Name the emotion.\n{'Ross: well. ' * (k % 5)}Joey: line {k}!\n" for k in range(11)]
ANSWERS = ["joy", "mad", "sad", "very angry indeed"]


@pytest.fixture(scope="module")
def loaded(tiny_model: Path) -> tuple[Any, Any]:
    """A model whose answers differ clearly from prompt to prompt."""
    import torch

    model, tokenizer = lora.load(tiny_model, device="cpu")
    torch.manual_seed(2)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return model, tokenizer


def row_by_row(model: Any, tokenizer: Any, prompt: str) -> list[float]:
    """Exact: one forward per label, nothing shared, the chain rule token by token."""
    import torch

    sums = []
    for answer in packing.encode(tokenizer, prompt, ANSWERS).answers:
        head = packing.encode(tokenizer, prompt, ANSWERS).prompt
        with torch.no_grad():
            found = model(torch.tensor([head + answer])).logits[0].double().log_softmax(-1)
        sums.append(sum(float(found[len(head) - 1 + k, token]) for k, token in enumerate(answer)))
    return sums


def test_same_numbers_and_same_argmax_as_row_by_row(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    scored = predictor.score(model, tokenizer, PROMPTS, ANSWERS, batch_size=4)
    exact = [row_by_row(model, tokenizer, prompt) for prompt in PROMPTS]
    assert len({one.best for one in scored}) > 1
    for ours, theirs in zip(scored, exact, strict=True):
        assert ours.log_probs == pytest.approx(theirs, rel=1e-4, abs=1e-4)
        assert ours.best == theirs.index(max(theirs))


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_batches_and_sharing_do_not_change_the_scores(loaded: tuple[Any, Any], batch_size: int) -> None:
    model, tokenizer = loaded
    one = predictor.score(model, tokenizer, PROMPTS, ANSWERS, batch_size=batch_size)
    other = predictor.score(model, tokenizer, PROMPTS, ANSWERS, share=False)
    for ours, theirs in zip(one, other, strict=True):
        assert ours.log_probs == pytest.approx(theirs.log_probs, rel=1e-4, abs=1e-4)


def test_probabilities_are_the_softmax_of_the_sums_or_the_means(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    sums = predictor.score(model, tokenizer, PROMPTS[:2], ANSWERS)
    means = predictor.score(model, tokenizer, PROMPTS[:2], ANSWERS, normalise="mean")
    for one, other in zip(sums, means, strict=True):
        weights = [math.exp(value) for value in one.log_probs]
        assert one.probabilities == pytest.approx([w / sum(weights) for w in weights], rel=1e-4)
        weights = [math.exp(value / n) for value, n in zip(one.log_probs, one.n_tokens, strict=True)]
        assert other.probabilities == pytest.approx([w / sum(weights) for w in weights], rel=1e-4)
        assert one.n_tokens == tuple(len(tokenizer(text).input_ids) + 1 for text in ANSWERS)
        assert sum(one.probabilities) == pytest.approx(1)
        assert one.seconds > 0


def test_progress_counts_every_prompt_and_the_mode_is_restored(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    told: list[int] = []
    model.train()
    predictor.score(model, tokenizer, PROMPTS, ANSWERS, batch_size=4, progress=told.append)
    assert told == [4, 4, 3]
    assert model.training
    model.eval()


def test_no_prompts_no_scores(loaded: tuple[Any, Any]) -> None:
    assert predictor.score(*loaded, [], ANSWERS) == []


def test_the_first_of_equals_is_best() -> None:
    assert predictor.Scored((-1.0, -1.0), (2, 2), (0.5, 0.5), 0, 0.0).best == 0


ENDS = ["joy", "joyful", "sad", "very angry indeed", "very sad"]


def test_greedy_is_what_constrained_generation_gives(loaded: tuple[Any, Any]) -> None:
    """Against transformers' own: only tokens that go on with an answer are allowed."""
    model, tokenizer = loaded
    scored = predictor.score(model, tokenizer, PROMPTS, ENDS, batch_size=4)
    for prompt, ours in zip(PROMPTS, scored, strict=True):
        item = packing.encode(tokenizer, prompt, ENDS)

        def allowed(_batch: int, ids: Any, item: packing.Item = item) -> list[int]:
            said = tuple(ids[len(item.prompt) :].tolist())
            rest = [one[len(said)] for one in item.answers if one[: len(said)] == said and len(one) > len(said)]
            return sorted(set(rest)) or [tokenizer.eos_token_id]

        import torch

        tokens = torch.tensor([item.prompt])
        found = model.generate(
            tokens,
            attention_mask=torch.ones_like(tokens),
            max_new_tokens=12,
            do_sample=False,
            prefix_allowed_tokens_fn=allowed,
        )
        assert tuple(found[0, len(item.prompt) :].tolist()) == item.answers[ours.greedy]
    assert len({one.greedy for one in scored}) > 1


def test_greedy_goes_by_the_next_token_and_scoring_by_the_whole_answer() -> None:
    answers = ((1, 2), (3, 4), (3, 5))
    # the first token of the last two is likelier; the first answer is likelier than either as a whole
    assert predictor._walk(answers, ((-0.9, -0.1), (-0.5, -1.0), (-0.5, -0.9))) == 2
    assert predictor._walk(((1, 9), (1, 2, 9)), ((-1.0, -0.2), (-1.0, -0.3, 0.0))) == 0
    assert predictor._walk(((1, 9), (1, 9)), ((-1.0, -1.0), (-1.0, -1.0))) == 0
