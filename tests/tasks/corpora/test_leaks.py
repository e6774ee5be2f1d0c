"""Lines of one corpus in another's test split, on own lines and on the real files."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora import emorynlp, meld
from tasks.corpora.leaks import dialogues, leaks, normalise, settle

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


def test_lines_without_words_and_short_first_lines_never_leak() -> None:
    train = lines("a", "train", "0", "Hello there.", "...") + lines("a", "train", "1", "...", "Hello there.")
    test = lines("b", "test", "0", "Hello there.", "?!") + lines("b", "test", "1", "?!", "Hello there.")
    assert leaks(train, test) == {}


def test_a_long_line_leaks_by_itself() -> None:
    long, short = "I thought that you would never come back here.", "I thought that you would never come."
    train = lines("a", "train", "0", long, "Well.") + lines("a", "train", "1", short)
    test = lines("b", "test", "0", "Oh.", long.upper()) + lines("b", "test", "1", "Oh.", short)
    assert leaks(train, test) == {"a/train/0/0": ("b/test/0/1",)}
    twice = lines("a", "train", "0", "Oh.", long)
    assert leaks(twice, test) == {"a/train/0/1": ("b/test/0/1",)}


def test_every_place_in_the_test_split_is_named_and_order_is_by_turn() -> None:
    train = lines("a", "train", "0", "One.", "Two.")
    test = lines("b", "test", "0", "One.", "Two.") + lines("b", "test", "1", "One.", "Two.")
    assert leaks(train[::-1], test[::-1]) == {"a/train/0/1": ("b/test/1/1", "b/test/0/1")}
    assert [row.turn for row in dialogues(train[::-1])["a", "train", "0"]] == [0, 1]


def test_leaks_of_train_and_dev_are_dropped_and_turns_have_no_gap() -> None:
    train = lines("a", "train", "0", "Hello there.", "Who is it?", "Me.", "Come in.")
    dev = lines("a", "dev", "0", "Hello there.", "Who is it?")
    test = [row for d in "012345" for row in lines("b", "test", d, "hello there", "who is it")]
    other = Rejected("a/train/1/0", "ingest", "empty_text", "no text")
    found = settle([*train, other, *dev, *test], "drop")
    assert [(row.utterance_id, row.turn) for row in found if isinstance(row, Utterance) and row.corpus == "a"] == [
        *(("a/train/0/0", 0), ("a/train/0/2", 1), ("a/train/0/3", 2), ("a/dev/0/0", 0)),
    ]
    rejected = [row for row in found if isinstance(row, Rejected)]
    assert [(row.utterance_id, row.reason) for row in rejected] == [
        *(("a/train/0/1", "leak"), ("a/train/1/0", "empty_text"), ("a/dev/0/1", "leak")),
    ]
    assert (
        "stands in b/test/0/1, b/test/1/1, b/test/2/1 and 3 more, after the same line or in 8 words or more"
        in rejected[0].detail
    )
    assert settle([*train, *test], "keep") == [*train, *test]


def test_a_leak_into_the_own_test_split_is_one_too() -> None:
    train, test = lines("a", "train", "0", "One.", "Two."), lines("a", "test", "7", "one", "two")
    assert [type(row) for row in settle([*train, *test], "drop")] == [Utterance, Rejected, Utterance, Utterance]
    with pytest.raises(CorpusError, match=r'1 lines .*\(a/train/0/1\): set ingest.leaks = "drop"'):
        settle([*train, *test], "refuse")
    assert settle(train, "refuse") == train


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

    assert found("emorynlp", "meld") == (392, 341)
    assert found("meld", "emorynlp") == (166, 132)

    rows_of_both = [row for name in rows for row in rows[name]]
    dropped = Counter(
        row.utterance_id.rsplit("/", 2)[0] for row in settle(rows_of_both, "drop") if isinstance(row, Rejected)
    )
    assert dropped == {"meld/train": 188, "meld/dev": 24, "emorynlp/train": 406, "emorynlp/dev": 107}
