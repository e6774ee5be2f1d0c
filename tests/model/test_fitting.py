from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import prompt
from model.dialogue import Utterance
from model.emotions import labels
from model.errors import SettingsError
from model.fitting import Fitted, Fitter, Unfit
from model.packing import encode

ROOMY = 1000
WORDS = "Two people in a kitchen one smiles and the other looks away from the window"


def line(turn: int, text: str) -> Utterance:
    return Utterance(f"meld/train/0/{turn}", "meld", "train", "0", turn, str(turn), "Ross", text, "joy")


@dataclass(frozen=True)
class Asked:
    """An utterance and what its prompt may show."""

    utterance: Utterance
    before: Sequence[Utterance] = ()
    description: str = ""
    shots: Sequence[Utterance] = ()


def fit_all(made_by: Fitter, asked: Sequence[Asked]) -> list[Fitted | Unfit]:
    """All of them together; ``first`` counts from the first line of each one's own."""
    rows, shown = [], []
    for one in asked:
        first = len(rows)
        rows += [*one.before, one.utterance]
        shown.append(prompt.Shown(one.utterance.corpus, first, len(rows) - 1, one.description, one.shots))
    lines = made_by.lines([row.speaker for row in rows], [row.text for row in rows])
    found = made_by.fit_all(lines, shown)
    return [
        fitted if isinstance(fitted, Unfit) else fitted._replace(first=fitted.first - one.first)
        for fitted, one in zip(found, shown, strict=True)
    ]


def fit(made_by: Fitter, asked: Asked) -> Fitted:
    (fitted,) = fit_all(made_by, [asked])
    if isinstance(fitted, Unfit):
        raise fitted
    return fitted


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
    whole = fit(fitter(tokenizer, ROOMY), Asked(LAST, BEFORE, WORDS))
    assert whole.first == 0
    assert whole.cuts == ()
    assert whole.words == len(WORDS.split())
    assert whole.n_tokens == len(encode(tokenizer, whole.prompt.text, ["x"]).prompt)
    exact = longest(tokenizer, whole.prompt.text)
    assert fit(fitter(tokenizer, exact), Asked(LAST, BEFORE, WORDS)) == whole
    assert fit(fitter(tokenizer, exact - 1), Asked(LAST, BEFORE, WORDS)).cuts == ("context:1",)


def test_cuts_take_context_oldest_first_then_the_description_and_never_the_line(tokenizer: Any) -> None:
    bare = longest(tokenizer, fit(fitter(tokenizer, ROOMY), Asked(LAST)).prompt.text)
    whole = longest(tokenizer, fit(fitter(tokenizer, ROOMY), Asked(LAST, BEFORE, WORDS)).prompt.text)
    seen = set()
    for allowed in range(bare, whole + 1):
        made = fit(fitter(tokenizer, allowed), Asked(LAST, BEFORE, WORDS))
        assert longest(tokenizer, made.prompt.text) <= allowed
        assert 0 <= made.first <= len(BEFORE)
        assert made.words == len(WORDS.split()) or made.first == len(BEFORE)
        assert made.prompt.messages[1][1].endswith("Ross: What happened?")
        cut = {name: int(number) for name, number in (cut.split(":") for cut in made.cuts)}
        assert cut.get("context", 0) == made.first
        assert cut.get("description", 0) == len(WORDS.split()) - made.words
        if made.words < len(WORDS.split()):  # one word more would not have fitted
            more = fit(fitter(tokenizer, ROOMY), Asked(LAST, [], " ".join(WORDS.split()[: made.words + 1])))
            assert longest(tokenizer, more.prompt.text) > allowed
        seen.add((len(BEFORE) - made.first, made.words))
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
    allowed = longest(tokenizer, fit(roomy, Asked(LAST)).prompt.text) + spare
    made_by = Fitter(tokenizer, preset, "name", allowed)
    try:
        made = fit(made_by, Asked(LAST, lines, " ".join(words), shown))
    except Unfit:
        assert spare < 0
        with pytest.raises(Unfit, match="for the line alone"):
            fit(made_by, Asked(LAST))
        return
    assert longest(tokenizer, made.prompt.text) <= allowed
    cut = {what: int(number) for what, number in (entry.split(":") for entry in made.cuts)}
    assert 0 not in cut.values()
    assert made.first == cut.get("context", 0)
    assert made.words == len(description) - cut.get("description", 0)
    assert "shots" not in cut or made.first == len(lines), "examples go after the last line of context"
    kept = shown[: len(shown) - cut.get("shots", 0)]
    assert "description" not in cut or not kept, "the description goes after the last example"
    assert not cut or {*cut} <= {"context", "shots", "description"}
    whole = fit(roomy, Asked(LAST, lines[made.first :], " ".join(description[: made.words]), kept))
    assert whole.prompt == made.prompt, "what is kept stands as it would alone"
    if "context" in cut and made.first < len(lines):
        more = fit(roomy, Asked(LAST, lines[cut["context"] - 1 :], " ".join(description), shown))
        assert longest(tokenizer, more.prompt.text) > allowed, "no line more had room"
    if "shots" in cut and kept:
        more = fit(roomy, Asked(LAST, [], " ".join(description), shown[: len(kept) + 1]))
        assert longest(tokenizer, more.prompt.text) > allowed, "no example more had room"


def test_a_very_long_dialogue_costs_no_more_than_what_could_fit(tokenizer: Any) -> None:
    made = fit(fitter(tokenizer, 200), Asked(LAST, [line(turn, "Hi") for turn in range(50_000)], ""))
    assert made.cuts == (f"context:{made.first}",)
    assert 10 < 50_000 - made.first < 200


def test_a_line_that_does_not_fit_alone_is_refused(tokenizer: Any) -> None:
    bare = longest(tokenizer, fit(fitter(tokenizer, ROOMY), Asked(LAST)).prompt.text)
    with pytest.raises(Unfit, match=r"raise instructions\.max_tokens") as caught:
        fit(fitter(tokenizer, bare - 1), Asked(LAST, BEFORE, WORDS))
    assert caught.value.reason == "too_long"


def test_a_control_token_that_slips_through_is_refused(tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fitter(tokenizer, ROOMY)
    assert fit(made, Asked(line(0, "<|im_end|>"))).cuts == ()
    monkeypatch.setattr("model.prompt.plain_all", lambda texts, _controls=(): list(texts))
    with pytest.raises(Unfit) as caught:
        fit(made, Asked(line(0, "<|im_end|>")))
    assert caught.value.reason == "control_tokens"


def test_the_tokenizers_own_limit_is_respected(tokenizer: Any) -> None:
    with pytest.raises(SettingsError, match="max_tokens = 2000, but the tokenizer takes 1024"):
        fitter(tokenizer, 2000)


def test_prompts_made_together_are_those_made_alone(tokenizer: Any) -> None:
    made_by = fitter(tokenizer, longest(tokenizer, fit(fitter(tokenizer, ROOMY), Asked(LAST, BEFORE)).prompt.text))
    asked = [Asked(LAST), Asked(LAST, BEFORE, WORDS), Asked(line(3, "Hi " * 500)), Asked(LAST, BEFORE), Asked(LAST)]
    together = fit_all(made_by, asked)
    assert isinstance(together[2], Unfit)
    alone = [fit(made_by, one) for one in (*asked[:2], *asked[3:])]
    assert [found for found in together if not isinstance(found, Unfit)] == alone
    assert alone[1].cuts, "one was cut"
    assert fit_all(made_by, []) == []


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(TEXTS, min_size=1, max_size=8),
    st.integers(0, 9),
    TEXTS | st.just(""),
    st.lists(TEXTS, max_size=3),
    st.sampled_from(("sound", "paper", "paper-video")),
    st.sampled_from(("name", "role", "off")),
    st.integers(90, 200),
)
def test_a_dialogues_prompts_are_those_of_its_lines_alone(
    tokenizer: Any,
    texts: list[str],
    context: int,
    description: str,
    shots: list[str],
    preset: prompt.Preset,
    speaker: prompt.Speaker,
    allowed: int,
) -> None:
    made_by = Fitter(tokenizer, preset, speaker, allowed)
    rows, examples = [line(turn, text) for turn, text in enumerate(texts)], [line(9, text) for text in shots]
    lines = made_by.lines([row.speaker for row in rows], texts)
    shown = [
        prompt.Shown("meld", max(0, at - context), at, description * (at % 2), examples) for at in range(len(rows))
    ]
    for one, fitted in zip(shown, made_by.fit_all(lines, shown), strict=True):
        asked = Asked(rows[one.at], rows[one.first : one.at], one.description, examples)
        (alone,) = fit_all(Fitter(tokenizer, preset, speaker, allowed), [asked])
        if isinstance(fitted, Unfit):
            assert isinstance(alone, Unfit)
            assert str(alone) == str(fitted)
        else:
            assert fitted._replace(first=fitted.first - one.first) == alone
