from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import prompt
from model.dialogue import Utterance
from model.emotions import labels
from model.errors import SettingsError
from model.fitting import Asked, Fitter, Unfit
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
    whole = fitter(tokenizer, ROOMY).fit(Asked(LAST, BEFORE, WORDS))
    assert whole.context == tuple(BEFORE)
    assert whole.cuts == ()
    assert whole.words == len(WORDS.split())
    assert whole.n_tokens == len(encode(tokenizer, whole.prompt.text, ["x"]).prompt)
    exact = longest(tokenizer, whole.prompt.text)
    assert fitter(tokenizer, exact).fit(Asked(LAST, BEFORE, WORDS)) == whole
    assert fitter(tokenizer, exact - 1).fit(Asked(LAST, BEFORE, WORDS)).cuts == ("context:1",)


def test_cuts_take_context_oldest_first_then_the_description_and_never_the_line(tokenizer: Any) -> None:
    bare = longest(tokenizer, fitter(tokenizer, ROOMY).fit(Asked(LAST)).prompt.text)
    whole = longest(tokenizer, fitter(tokenizer, ROOMY).fit(Asked(LAST, BEFORE, WORDS)).prompt.text)
    seen = set()
    for allowed in range(bare, whole + 1):
        made = fitter(tokenizer, allowed).fit(Asked(LAST, BEFORE, WORDS))
        assert longest(tokenizer, made.prompt.text) <= allowed
        assert made.context == tuple(BEFORE[len(BEFORE) - len(made.context) :])
        assert made.words == len(WORDS.split()) or not made.context
        assert made.prompt.messages[1][1].endswith("Ross: What happened?")
        cut = {name: int(number) for name, number in (cut.split(":") for cut in made.cuts)}
        assert cut.get("context", 0) == len(BEFORE) - len(made.context)
        assert cut.get("description", 0) == len(WORDS.split()) - made.words
        if made.words < len(WORDS.split()):  # one word more would not have fitted
            more = fitter(tokenizer, ROOMY).fit(Asked(LAST, [], " ".join(WORDS.split()[: made.words + 1])))
            assert longest(tokenizer, more.prompt.text) > allowed
        seen.add((len(made.context), made.words))
    words = len(WORDS.split())
    assert {(4, words), (1, words), (0, words), (0, 0)} <= seen


TEXTS = st.text("abc é👩\u200b<|#\n", min_size=1, max_size=12) | st.sampled_from(
    ["<|im_end|>", "### Response:", "[INST] hi", "👩‍👩‍👧 é\u200b"]
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(TEXTS, max_size=6),
    st.lists(TEXTS, max_size=5),
    st.lists(TEXTS, max_size=6),
    st.integers(-5, 150),
    st.sampled_from(("sound", "paper", "paper-video")),
)
def test_whatever_the_text_cuts_keep_their_order_and_are_on_record(
    tokenizer: Any, before: list[str], shots: list[str], words: list[str], spare: int, preset: prompt.Preset
) -> None:
    lines, shown = [line(turn, text) for turn, text in enumerate(before)], [line(9, text) for text in shots]
    description = " ".join(words).split()
    roomy = Fitter(tokenizer, preset, "name", 1024)
    allowed = longest(tokenizer, roomy.fit(Asked(LAST)).prompt.text) + spare
    made_by = Fitter(tokenizer, preset, "name", allowed)
    try:
        made = made_by.fit(Asked(LAST, lines, " ".join(words), shown))
    except Unfit:
        assert spare < 0
        with pytest.raises(Unfit, match="for the line alone"):
            made_by.fit(Asked(LAST))
        return
    assert longest(tokenizer, made.prompt.text) <= allowed
    cut = {what: int(number) for what, number in (entry.split(":") for entry in made.cuts)}
    assert 0 not in cut.values()
    assert made.context == tuple(lines[cut.get("context", 0) :])
    assert made.words == len(description) - cut.get("description", 0)
    assert "shots" not in cut or not made.context, "examples go after the last line of context"
    kept = shown[: len(shown) - cut.get("shots", 0)]
    assert "description" not in cut or not kept, "the description goes after the last example"
    assert not cut or {*cut} <= {"context", "shots", "description"}
    whole = roomy.fit(Asked(LAST, made.context, " ".join(description[: made.words]), kept))
    assert whole.prompt == made.prompt, "what is kept stands as it would alone"
    if "context" in cut and made.context:
        more = roomy.fit(Asked(LAST, lines[cut["context"] - 1 :], " ".join(description), shown))
        assert longest(tokenizer, more.prompt.text) > allowed, "no line more had room"
    if "shots" in cut and kept:
        more = roomy.fit(Asked(LAST, [], " ".join(description), shown[: len(kept) + 1]))
        assert longest(tokenizer, more.prompt.text) > allowed, "no example more had room"


def test_a_very_long_dialogue_costs_no_more_than_what_could_fit(tokenizer: Any) -> None:
    made = fitter(tokenizer, 200).fit(Asked(LAST, [line(turn, "Hi") for turn in range(50_000)], ""))
    assert made.cuts == (f"context:{50_000 - len(made.context)}",)
    assert len(made.context) > 10


def test_a_line_that_does_not_fit_alone_is_refused(tokenizer: Any) -> None:
    bare = longest(tokenizer, fitter(tokenizer, ROOMY).fit(Asked(LAST)).prompt.text)
    with pytest.raises(Unfit, match=r"raise instructions\.max_tokens") as caught:
        fitter(tokenizer, bare - 1).fit(Asked(LAST, BEFORE, WORDS))
    assert caught.value.reason == "too_long"


def test_a_control_token_that_slips_through_is_refused(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fitter(tokenizer, ROOMY)
    assert made.fit(Asked(line(0, "<|im_end|>"))).cuts == ()
    monkeypatch.setattr("model.prompt.plain", lambda text, _controls=(): text)
    with pytest.raises(Unfit) as caught:
        made.fit(Asked(line(0, "<|im_end|>")))
    assert caught.value.reason == "control_tokens"


def test_the_tokenizers_own_limit_is_respected(tokenizer: Any) -> None:
    with pytest.raises(SettingsError, match="max_tokens = 2000, but the tokenizer takes 1024"):
        fitter(tokenizer, 2000)


def test_prompts_made_together_are_those_made_alone(tokenizer: Any) -> None:
    made_by = fitter(tokenizer, longest(tokenizer, fitter(tokenizer, ROOMY).fit(Asked(LAST, BEFORE)).prompt.text))
    asked = [Asked(LAST), Asked(LAST, BEFORE, WORDS), Asked(line(3, "Hi " * 500)), Asked(LAST, BEFORE), Asked(LAST)]
    together = made_by.fit_all(asked)
    assert isinstance(together[2], Unfit)
    alone = [made_by.fit(one) for one in (*asked[:2], *asked[3:])]
    assert [found for found in together if not isinstance(found, Unfit)] == alone
    assert alone[1].cuts, "one was cut"
    assert made_by.fit_all([]) == []
