from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.emotions import labels
from tasks.corpora.subtitles_words import NAME_WORDS, UNKNOWN, Words, words
from tasks.corpora.transcript import BadRow, Repaired

CORPUS = "subtitles-meld"
REASONS = {
    *("nul_byte", "text_too_long", "two_speakers", "bad_speaker"),
    *("unlabelled", "unknown_label", "two_labels", "empty_text"),
}


def say(*lines: str, vtt: bool = False) -> Words:
    return words(lines, CORPUS, vtt=vtt)


@pytest.mark.parametrize(
    "line",
    [
        "Ana: [joy] The letter is here!",
        "[joy] Ana: The letter is here!",
        "Ana: The letter is here! [joy]",
        "Ana [joy]: The letter is here!",
        "[ JOY ]  Ana:  The letter  is here!",
        "<i>Ana</i>: [joy] <font color='red'>The letter</font> is here!",
        r"{\an8}Ana: [joy] The letter is here!{\i0}",
        "- Ana: [joy] The letter is here!",
        "<v Ana>[joy] The letter is here!",
        "<V Ana>[joy] <I>The letter</I> is here!</V>",
        "[joy] <v.loud Ana>The <00:00:01.500><c.red>letter</c> is here!</v>",
    ],
)
def test_the_emotion_and_the_speaker_stand_in_many_ways(line: str) -> None:
    assert say(line) == Words("Ana", "The letter is here!", "joy")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["[joy] Here it is."], Words(UNKNOWN, "Here it is.", "joy")),
        (["Dr. Zoë O'Neil-Smith: [joy]", "Here", "it is."], Words("Dr. Zoë O'Neil-Smith", "Here it is.", "joy")),
        (["Man 2: [joy] Here."], Words("Man 2", "Here.", "joy")),
        (["[joy] I said: here it is."], Words(UNKNOWN, "I said: here it is.", "joy")),
        (["[joy] At 10:30, here."], Words(UNKNOWN, "At 10:30, here.", "joy")),
        (["[joy] Oh, Ana: here."], Words(UNKNOWN, "Oh, Ana: here.", "joy")),
        (["[joy] - Here."], Words(UNKNOWN, "Here.", "joy")),
        (["[joy] 5 <3 <6> & &amp;"], Words(UNKNOWN, "5 <3 <6> & &amp;", "joy")),
        (["Ana: [laughs] [joy] He [coughs] left. [door]"], Words("Ana", "[laughs] He [coughs] left. [door]", "joy")),
        (
            ["<v Ludwig van Beethoven>[joy] Listen: it is here."],
            Words("Ludwig van Beethoven", "Listen: it is here.", "joy"),
        ),
        (["Ana: [joy] I<br/>see."], Words("Ana", "I see.", "joy")),
        (["Ana: [joy] Here. [joy]"], Words("Ana", "Here.", "joy")),
    ],
)
def test_what_is_a_speaker_and_what_is_text(lines: list[str], expected: Words) -> None:
    assert say(*lines) == expected


def test_character_references_are_webvtts() -> None:
    line = "<v A &amp; B>[joy] &lt;i&gt; Tom &amp; Jerry"
    assert say(line, vtt=True) == Words("A & B", "<i> Tom & Jerry", "joy")
    assert say(line) == Words("A &amp; B", "&lt;i&gt; Tom &amp; Jerry", "joy")


def test_text_is_cleaned_and_a_repair_is_marked() -> None:
    said = say("Ana: [joy] I\x92m\u2028here\x01")
    assert said.text == "I’m here"
    assert isinstance(said.text, Repaired)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "empty_text"),
        (["Ana: [joy]"], "empty_text"),
        (["[joy] <i></i>"], "empty_text"),
        (["Ana: Hi."], "unlabelled"),
        (["Ana: He [joy] left."], "unlabelled"),
        (["joy: Hi."], "unlabelled"),
        (["Ana: [joyful] Hi."], "unknown_label"),
        (["[door slams]"], "unknown_label"),
        (["[]"], "unknown_label"),
        (["Ana: [joy] Hi. [anger]"], "two_labels"),
        (["Ana: [joy] He [anger] left."], "two_labels"),
        (["- [joy] Hi.", "- [joy] Hello."], "two_speakers"),
        (["[joy] - Hi. - Hello."], "two_speakers"),
        (["-Hi. -Hello. [joy]"], "two_speakers"),
        (["Ana: [joy] Hi.", "Ben: Hello."], "two_speakers"),
        (["[joy] Ana: Hi.", "[joy] Ben: Hello."], "two_speakers"),
        (["<v Ana>[joy] Hi.</v> <v Ben>Hello.</v>"], "two_speakers"),
        (["<v " + "a" * 101 + ">[joy] Hi."], "bad_speaker"),
        (["[joy] a\0b"], "nul_byte"),
        (["[joy] " + "a" * 10_000], "text_too_long"),
    ],
)
def test_what_is_refused(lines: list[str], reason: str) -> None:
    with pytest.raises(BadRow) as caught:
        say(*lines)
    assert caught.value.reason == reason
    assert len(str(caught.value)) < 200


PIECE = st.sampled_from(
    ["[joy]", "[", "]", "[sad]", "Ana: ", "- ", "<v Ana>", "<i>", "{\\an8}", ":", "\n", "&amp;", "a", " "]
)
MESS = st.lists(st.one_of(PIECE, st.text(max_size=5)), max_size=12).map("".join)


def words_or_reason(text: str, vtt: bool) -> Words | str:
    try:
        return say(*text.split("\n"), vtt=vtt)
    except BadRow as fault:
        return fault.reason


@settings(max_examples=300, deadline=None)
@given(MESS, st.booleans())
def test_any_text_gives_words_or_a_reason(text: str, vtt: bool) -> None:
    said = words_or_reason(text, vtt)
    if isinstance(said, str):
        assert said in REASONS
    else:
        assert said.emotion in labels(CORPUS)
        assert said.text == " ".join(said.text.split()) != ""
        assert f"[{said.emotion}]" not in said.text.lower()
        assert 0 < len(said.speaker) <= 100
        assert "\n" not in said.speaker


NAME = st.lists(st.text("ABCDÉ", min_size=1, max_size=5), min_size=1, max_size=NAME_WORDS).map(" ".join)
SAID = st.lists(st.text("abcdé.!?'", min_size=1, max_size=6), min_size=1, max_size=8).map(" ".join)


@settings(max_examples=100, deadline=None)
@given(NAME, SAID, st.sampled_from(labels(CORPUS)), st.integers(0, 3), st.booleans())
def test_what_was_written_is_what_is_read(name: str, text: str, label: str, place: int, cut: bool) -> None:
    line = [
        f"{name}: [{label}] {text}",
        f"[{label}] {name}: {text}",
        f"{name}: {text} [{label}]",
        f"{name} [{label}]: {text}",
    ]
    lines = line[place].replace(" ", "\n").split("\n") if cut and place == 0 and " " not in name else [line[place]]
    assert say(*lines) == Words(name, text, label)
