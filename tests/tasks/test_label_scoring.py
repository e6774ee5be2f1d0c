from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from model import lora, predictor
from model.dialogue import Instruction
from model.emotions import answers, labels
from tasks.label_scoring import gold_of, score_rows

pytestmark = pytest.mark.usefixtures("one_thread")


def row(utterance_id: str, answer: str) -> Instruction:
    return Instruction(utterance_id, "sound", (), f"Line {utterance_id}:\n", answer, 9, (), None)


ROWS = [row("meld/dev/0/0", "joy"), row("emorynlp/dev/0/0", "mad"), row("meld/dev/0/1", "anger")]


def test_each_row_is_scored_over_the_labels_of_its_own_corpus(tiny_model: Path) -> None:
    model, tokenizer = lora.load(tiny_model, device="cpu")
    told: list[int] = []
    found = score_rows(model, tokenizer, ROWS, share=True, progress=told.append)
    assert [one.row for one in found] == ROWS
    assert [one.labels[one.gold] for one in found] == ["joy", "mad", "anger"]
    assert [one.labels for one in found] == [labels("meld"), labels("emorynlp"), labels("meld")]
    (alone,) = predictor.score(model, tokenizer, [ROWS[1].prompt], labels("emorynlp"))
    assert found[1].scored.log_probs == pytest.approx(alone.log_probs, rel=1e-4)
    assert sum(told) == 3


def test_an_answer_that_names_no_label_has_no_gold() -> None:
    assert [gold_of(one) for one in ROWS] == ["joy", "mad", "anger"]
    assert gold_of(row("meld/dev/0/0", "hungry")) is None


def test_unified_rows_are_scored_in_the_words_of_their_prompts(tiny_model: Path) -> None:
    model, tokenizer = lora.load(tiny_model, device="cpu")
    unified = replace(row("emorynlp/dev/0/0", "anger"), variant="sound-c2-name-desc-unified")
    own, found = score_rows(model, tokenizer, [ROWS[1], unified], share=True)
    assert (found.labels, found.gold) == (labels("emorynlp"), own.gold)
    (alone,) = predictor.score(model, tokenizer, [unified.prompt], answers("emorynlp", "unified"))
    assert found.scored.log_probs == pytest.approx(alone.log_probs, rel=1e-4)
    assert found.scored.log_probs[own.gold] != pytest.approx(own.scored.log_probs[own.gold], rel=1e-3)
