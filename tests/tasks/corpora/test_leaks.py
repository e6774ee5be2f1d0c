"""Lines of one corpus in another's test split, on own lines and on the real files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from model.dialogue import Utterance
from tasks.corpora import emorynlp, meld
from tasks.corpora.leaks import dialogues, leaks, normalise

REAL = Path(os.environ.get("DIALOGUELLM_TEST_DATA", "/nonexistent"))


def lines(corpus: str, split: str, dialogue: str, *texts: str) -> list[Utterance]:
    return [
        Utterance(f"{corpus}/{split}/{dialogue}/{n}", corpus, split, dialogue, n, str(n), "Ana", text, "neutral")
        for n, text in enumerate(texts)
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Yeah, right!.......Y'serious?", "yeah right yserious"),
        ("Yeah right!  Y’serious?", "yeah right yserious"),
        ("Café №2", "cafe no2"),
        ("...", ""),
        ("Straße", "strasse"),
    ],
)
def test_spelling_and_punctuation_do_not_count(text: str, words: str) -> None:
    assert normalise(text) == words


def test_a_line_leaks_only_with_the_line_before_it() -> None:
    train = lines("a", "train", "0", "The door is open.", "What?", "Shut it!") + lines(
        "a", "train", "1", "No.", "What?"
    )
    test = lines("b", "test", "7", "the door is OPEN", "What", "Why?")
    assert leaks(train, test) == {"a/train/0/1": ("b/test/7/1",)}


def test_lines_without_words_and_first_lines_never_leak() -> None:
    train = lines("a", "train", "0", "Hello there.", "...") + lines("a", "train", "1", "...", "Hello there.")
    test = lines("b", "test", "0", "Hello there.", "?!") + lines("b", "test", "1", "?!", "Hello there.")
    assert leaks(train, test) == {}


def test_every_place_in_the_test_split_is_named_and_order_is_by_turn() -> None:
    train = lines("a", "train", "0", "One.", "Two.")
    test = lines("b", "test", "0", "One.", "Two.") + lines("b", "test", "1", "One.", "Two.")
    assert leaks(train[::-1], test[::-1]) == {"a/train/0/1": ("b/test/1/1", "b/test/0/1")}
    assert [row.turn for row in dialogues(train[::-1])["a", "train", "0"]] == [0, 1]


@pytest.mark.skipif(not (REAL / "meld").is_dir(), reason="the real corpora are not here: set DIALOGUELLM_TEST_DATA")
def test_the_real_corpora_are_one_series() -> None:
    rows = {
        name: [row for row in reader(REAL / name) if isinstance(row, Utterance)]
        for name, reader in (("meld", meld.read), ("emorynlp", emorynlp.read))
    }

    def found(one: str, other: str) -> tuple[int, int]:
        train = [row for row in rows[one] if row.split == "train"]
        leaked = leaks(train, [row for row in rows[other] if row.split == "test"])
        return len(leaked), len({place for places in leaked.values() for place in places})

    assert found("emorynlp", "meld") == (342, 292)
    assert found("meld", "emorynlp") == (152, 118)
