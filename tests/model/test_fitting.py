from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from model.dialogue import Utterance
from model.emotions import labels
from model.errors import SettingsError
from model.fitting import Fitter, Unfit
from model.packing import encode

ROOMY = 1000
WORDS = "Two people in a kitchen one smiles and the other looks away from the window"


def line(turn: int, text: str) -> Utterance:
    return Utterance(f"meld/train/0/{turn}", "meld", "train", "0", turn, str(turn), "Ross", text, "joy")


BEFORE = [line(turn, f"This is line number {turn} of the dialogue") for turn in range(4)]
LAST = line(4, "What happened?")


@pytest.fixture(scope="module")
def tokenizer(tiny_model: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_model)


def fitter(tokenizer: Any, max_tokens: int) -> Fitter:
    return Fitter(tokenizer, "sound", "name", max_tokens)


def longest(tokenizer: Any, text: str) -> int:
    item = encode(tokenizer, text, labels("meld"))
    return len(item.prompt) + max(map(len, item.answers))


def test_what_fits_is_whole_and_counted_with_the_longest_answer(tokenizer: Any) -> None:
    whole = fitter(tokenizer, ROOMY).fit(LAST, BEFORE, WORDS)
    assert whole.context == tuple(BEFORE)
    assert whole.cuts == ()
    assert whole.words == len(WORDS.split())
    assert whole.n_tokens == len(encode(tokenizer, whole.prompt.text, ["x"]).prompt)
    exact = longest(tokenizer, whole.prompt.text)
    assert fitter(tokenizer, exact).fit(LAST, BEFORE, WORDS) == whole
    assert fitter(tokenizer, exact - 1).fit(LAST, BEFORE, WORDS).cuts == ("context:1",)


def test_cuts_take_context_oldest_first_then_the_description_and_never_the_line(tokenizer: Any) -> None:
    bare = longest(tokenizer, fitter(tokenizer, ROOMY).fit(LAST, [], "").prompt.text)
    whole = longest(tokenizer, fitter(tokenizer, ROOMY).fit(LAST, BEFORE, WORDS).prompt.text)
    seen = set()
    for allowed in range(bare, whole + 1):
        made = fitter(tokenizer, allowed).fit(LAST, BEFORE, WORDS)
        assert longest(tokenizer, made.prompt.text) <= allowed
        assert made.context == tuple(BEFORE[len(BEFORE) - len(made.context) :])
        assert made.words == len(WORDS.split()) or not made.context
        assert made.prompt.messages[1][1].endswith("Ross: What happened?")
        cut = {name: int(number) for name, number in (cut.split(":") for cut in made.cuts)}
        assert cut.get("context", 0) == len(BEFORE) - len(made.context)
        assert cut.get("description", 0) == len(WORDS.split()) - made.words
        if made.words < len(WORDS.split()):  # one word more would not have fitted
            more = fitter(tokenizer, ROOMY).fit(LAST, [], " ".join(WORDS.split()[: made.words + 1]))
            assert longest(tokenizer, more.prompt.text) > allowed
        seen.add((len(made.context), made.words))
    words = len(WORDS.split())
    assert {(4, words), (1, words), (0, words), (0, 0)} <= seen


def test_a_line_that_does_not_fit_alone_is_refused(tokenizer: Any) -> None:
    bare = longest(tokenizer, fitter(tokenizer, ROOMY).fit(LAST, [], "").prompt.text)
    with pytest.raises(Unfit, match=r"raise instructions\.max_tokens") as caught:
        fitter(tokenizer, bare - 1).fit(LAST, BEFORE, WORDS)
    assert caught.value.reason == "too_long"


def test_a_control_token_that_slips_through_is_refused(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fitter(tokenizer, ROOMY)
    assert made.fit(line(0, "<|im_end|>"), [], "").cuts == ()
    monkeypatch.setattr("model.prompt.plain", lambda text, _controls=(): text)
    with pytest.raises(Unfit) as caught:
        made.fit(line(0, "<|im_end|>"), [], "")
    assert caught.value.reason == "control_tokens"


def test_the_tokenizers_own_limit_is_respected(tokenizer: Any) -> None:
    with pytest.raises(SettingsError, match="max_tokens = 2000, but the tokenizer takes 1024"):
        fitter(tokenizer, 2000)
