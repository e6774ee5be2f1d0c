from __future__ import annotations

import pytest

from model import emotions
from model.errors import CorpusError

CORPORA = ("meld", "demo", "emorynlp", "iemocap", "iemocap4", "iemocap8")


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_label_is_its_own_answer_and_parses_back(corpus: str) -> None:
    for label in emotions.labels(corpus):
        assert emotions.answer(corpus, label) == label
        for written in (label, label.upper(), f' "{label.title()}".', f"**{label}**", f"{label}\nand more"):
            assert emotions.parse(written, corpus) == label


def test_the_label_sets_are_the_published_ones() -> None:
    assert emotions.labels("meld") == ("neutral", "joy", "sadness", "anger", "surprise", "fear", "disgust")
    assert emotions.labels("demo") == emotions.labels("meld")
    assert len(emotions.labels("emorynlp")) == 7
    assert [len(emotions.labels(f"iemocap{ways}")) for ways in ("4", "", "8")] == [4, 6, 8]


def test_the_unified_labels_are_the_papers_eleven_and_one_to_one_in_a_corpus() -> None:
    named = {emotions.unified(corpus, label) for corpus in CORPORA for label in emotions.labels(corpus)}
    assert named == set(emotions.UNIFIED_LABELS)
    assert len(emotions.UNIFIED_LABELS) == 11
    for corpus in CORPORA:
        found = [emotions.unified(corpus, label) for label in emotions.labels(corpus)]
        assert len(set(found)) == len(found)
    assert emotions.unified("emorynlp", "joyful") == emotions.unified("meld", "joy") == "happiness"


@pytest.mark.parametrize("corpus", sorted(emotions.UNIFIED))
def test_unified_words_are_one_to_one_and_parse_back_in_every_set(corpus: str) -> None:
    own = emotions.labels(corpus)
    words = emotions.answers(corpus, "unified")
    assert [emotions.parse(word, corpus) for word in words] == list(own)
    assert {*words} <= {*emotions.UNIFIED_LABELS}
    assert emotions.answers(corpus) == own
    with pytest.raises(CorpusError, match="'hungry' is not a label"):
        emotions.answer(corpus, "hungry", "unified")


@pytest.mark.parametrize(
    ("text", "corpus", "label"),
    [
        ("Happy", "meld", "joy"),
        ("happiness", "emorynlp", "joyful"),
        ("The emotion is: Sadness.", "meld", "sadness"),
        ("Label: angry", "emorynlp", "mad"),
        ("ＡＮＧＲＹ", "meld", "anger"),
        ("\n\n1. surprised", "meld", "surprise"),
        ("joy because nobody is sad", "meld", "joy"),
        ("joy (not sadness)", "meld", "joy"),
        ("afraid", "emorynlp", "scared"),
        ("excitement", "iemocap", "excited"),
        ("**Joy**", "meld", "joy"),
        ("- `joy`", "meld", "joy"),
        ("<b>joy</b>", "meld", "joy"),
        ("<joy>", "meld", "joy"),
        ('<answer class="x">joy</answer>', "meld", "joy"),
        ("\\boxed{\\text{joy}}", "meld", "joy"),
        ('{"emotion": "joy"}', "meld", "joy"),
        ("```\njoy\n```", "meld", "joy"),
        ("<think>\nanger? no.\n</think>\n\nJoy", "meld", "joy"),
    ],
)
def test_synonyms_and_dressing_are_understood(text: str, corpus: str, label: str) -> None:
    assert emotions.parse(text, corpus) == label


@pytest.mark.parametrize(
    ("text", "corpus"),
    [
        ("", "meld"),
        ("   \n ...", "meld"),
        ("joy, anger", "meld"),
        ("neutral/joy", "meld"),
        ("neutral, joy, sadness, anger, surprise, fear, disgust", "meld"),
        ("not joy", "meld"),
        ("happy to see you", "meld"),
        ("excited", "meld"),
        ("joy or excitement", "meld"),
        ("surprise", "emorynlp"),
        ("scared", "iemocap"),
        ("enjoy", "meld"),
        ("<|im_end|>", "meld"),
        ("<b>joy</b> or <b>anger</b>", "meld"),
        ("<think>joy, or", "meld"),
        ("<joy>anger</joy>", "meld"),
        ("I cannot tell.\njoy", "meld"),
        ("\u043d\u0435 joy", "meld"),
        ("joy\u043e", "meld"),
        ("j\u043ey", "meld"),
        ("\u559c\u60a6 joy", "meld"),
    ],
)
def test_an_ambiguous_or_foreign_answer_is_none(text: str, corpus: str) -> None:
    assert emotions.parse(text, corpus) is None


def test_a_huge_answer_is_read_only_at_its_start() -> None:
    assert emotions.parse("joy\n" + "x" * 10_000_000, "meld") == "joy"


def test_emotion_words_are_whole_words_once_each_in_order() -> None:
    text = "An Angry man beside a joyful woman; he looks angry, she can’t enjoy the sadness."
    assert emotions.emotion_words(text) == ("angry", "joyful", "sadness")
    assert emotions.emotion_words("Two people with raised brows stand in a kitchen.") == ()
    assert emotions.emotion_words("She seems upset and WORRIED") == ("upset", "worried")


def test_an_unknown_corpus_or_label_names_what_is_known() -> None:
    with pytest.raises(CorpusError, match=r"'friends'.*known are demo, emorynlp, iemocap, iemocap4, iemocap8, meld"):
        emotions.labels("friends")
    with pytest.raises(CorpusError, match="friends"):
        emotions.parse("joy", "friends")
    with pytest.raises(CorpusError, match=r"'excited' is not a label of meld.*neutral, joy"):
        emotions.answer("meld", "excited")
