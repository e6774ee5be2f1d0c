"""Findings of the text, on own rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest

from model.dialogue import Rejected, Utterance
from tasks import check_text
from tasks.check_text import Finding
from tasks.corpora.published import Published
from tasks.corpora.transcript import clean


def lines(split: str, dialogue: str, *texts: str, emotion: str = "joy") -> list[Utterance]:
    return [
        Utterance(f"meld/{split}/{dialogue}/{n}", "meld", split, dialogue, n, str(n), "Ana", text, emotion)
        for n, text in enumerate(texts)
    ]


def brief(found: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(item.level, item.check, item.id) for item in found]


def test_a_rejected_row_is_an_error_and_too_many_are_one_more() -> None:
    bad = Rejected("meld/train/9/1", "ingest", "empty_text", "no text")
    rows: list[Utterance | Rejected] = [*lines("train", "0", *"abc"), bad]
    assert list(check_text.rejects(rows)) == [Finding("error", "empty_text", "meld/train/9/1", "no text")]
    assert list(check_text.too_many(rows, 0.5)) == []
    (first,) = check_text.too_many(rows, 0.2)
    assert (first.level, first.check) == ("error", "too_many_rejects")
    assert first.detail == "1 of 4 rows are refused, over ingest.max_rejects = 0.2: a run stops"
    assert [*check_text.rejects([]), *check_text.too_many([], 0.0)] == []


def test_a_repeated_line_is_the_same_speaker_and_dialogue() -> None:
    rows = lines("train", "0", "No!", "no", "...", "?!") + lines("train", "1", "No!")
    rows.append(replace(rows[0], utterance_id="meld/train/0/9", speaker="Ben"))
    assert list(check_text.repeated(rows)) == [
        Finding("info", "repeated_line", "meld/train/0/1", "same speaker and words as meld/train/0/0")
    ]


def test_repaired_lines_are_counted_by_split_and_some_are_named() -> None:
    rows = lines("train", "0", *[clean(f"I\u0092m {n}") for n in range(6)], "I’m right")
    rows += [replace(rows[6], utterance_id="meld/dev/0/0", split="dev", speaker=clean("Zo\u00c3\u00ab"))]
    first, second = check_text.all_of(rows, "meld", whole=False)[-2:]
    assert brief([first, second]) == [
        ("info", "repaired_text", "meld/train"),
        ("info", "repaired_text", "meld/dev"),
    ]
    assert first.detail == (
        "characters of another encoding put right (lines: 6): "
        "meld/train/0/0, meld/train/0/1, meld/train/0/2, meld/train/0/3, meld/train/0/4, …"
    )
    assert second.detail == "characters of another encoding put right (lines: 1): meld/dev/0/0"


def test_a_dialogue_in_two_splits_is_whole_and_across_splits() -> None:
    rows = [
        *lines("train", "0", "One.", "Two."),
        *lines("train", "1", "One.", "Two."),
        *lines("dev", "0", "..."),
        *lines("test", "4", "one", "TWO"),
        *lines("test", "5", "One.", "Two.", "Three."),
        *lines("test", "6", "?!"),
        *lines("test", "7", "One. Two."),
    ]
    (found,) = check_text.shared_dialogues(rows)
    assert brief([found]) == [("warning", "dialogue_in_two_splits", "meld/test/4")]
    assert "meld/train/0;" in found.detail


def test_balance_counts_each_split() -> None:
    rows = [*lines("train", "0", "a", "b", "c"), *lines("train", "1", "d", emotion="anger"), *lines("dev", "0", "e")]
    found = list(check_text.balance(rows, "meld"))
    assert brief(found) == [
        ("info", "balance", "meld/train"),
        ("warning", "absent_label", "meld/train"),
        ("info", "balance", "meld/dev"),
        ("warning", "absent_label", "meld/dev"),
        ("error", "empty_split", "meld/test"),
    ]
    assert found[0].detail == "4 utterances in 2 dialogues: joy 3 (75.0%), anger 1 (25.0%)"
    assert found[1].detail == "no line is neutral or sadness or surprise or fear or disgust"


@pytest.fixture
def claims(monkeypatch: pytest.MonkeyPatch) -> None:
    claim = Published(3, 4, {"joy": 3, "anger": 1})
    published: Mapping[str, Mapping[str, Published]] = {"meld": {"train": claim}}
    monkeypatch.setattr(check_text, "PUBLISHED", published)


@pytest.mark.usefixtures("claims")
def test_what_differs_from_the_published_counts_is_said_exactly() -> None:
    rows = lines("train", "0", "a", "b") + lines("train", "2", "c")
    assert [(item.check, item.detail) for item in check_text.published(rows, "meld")] == [
        ("published_utterances", "utterances 3, published 4 (-1)"),
        ("published_dialogues", "dialogues 2, published 3 (-1); without 1"),
        ("published_labels", "anger 0, published 1 (-1)"),
    ]
    right = lines("train", "0", "a", "b") + lines("train", "1", "c") + lines("train", "2", "d", emotion="anger")
    assert brief(check_text.published(right, "meld")) == [("info", "as_published", "meld/train")]
    assert list(check_text.published(rows, "another")) == []


@pytest.mark.usefixtures("claims")
def test_a_subset_is_not_held_against_the_published_counts() -> None:
    rows = lines("train", "0", "a")
    checks = [{item.check for item in check_text.all_of(rows, "meld", whole=whole)} for whole in (True, False)]
    assert "published_utterances" in checks[0]
    assert checks[1] == {"balance", "absent_label", "empty_split"}
