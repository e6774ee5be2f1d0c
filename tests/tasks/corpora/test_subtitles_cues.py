from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.corpora.subtitles_cues import ARROW, Cue, OddLines, cues, is_vtt, seconds
from tasks.corpora.transcript import BadRow

SRT = """\
1
00:00:01,000 --> 00:00:02,000
One.

2
00:00:xx,000 --> 00:00:04,000
Two.

3
00:00:05,000 -> 00:00:06,000
Three.

4
00:00:07,000 --> 00:00:08,000
Four,
on two lines.

what follows an empty line
5
00:00:09,000 --> 00:00:10,000
Five.
6
00:00:11,000 --> 00:00:12,000
Six.
"""

VTT = """\
WEBVTT - a file
Kind: captions

NOTE not a cue
of two lines

STYLE
::cue {color: red}

intro
00:01.000 --> 00:02.000 align:start
One.

odd lines

00:01:00.000 --> 00:01:02.000
"""


def test_every_cue_of_srt_and_every_line_that_is_none() -> None:
    assert list(cues(SRT)) == [
        Cue(2, "00:00:01,000 --> 00:00:02,000", ("One.",)),
        Cue(6, "00:00:xx,000 --> 00:00:04,000", ("Two.",)),
        OddLines(9, "stray_text", "'3' stands outside of a cue"),
        Cue(14, "00:00:07,000 --> 00:00:08,000", ("Four,", "on two lines.")),
        OddLines(20, "no_gap", "no empty line parts this cue from the next or the one before"),
        OddLines(23, "no_gap", "no empty line parts this cue from the next or the one before"),
    ]


def test_a_name_above_a_cue_is_webvtts_alone() -> None:
    assert list(cues(VTT)) == [
        Cue(11, "00:01.000 --> 00:02.000 align:start", ("One.",)),
        OddLines(14, "stray_text", "'odd lines' stands outside of a cue"),
        Cue(16, "00:01:00.000 --> 00:01:02.000", ()),
    ]
    bare = VTT.partition("\n\n")[2]
    assert [found.line for found in cues(bare) if isinstance(found, OddLines)] == [1, 4, 7, 11]


def test_webvtt_is_told_by_its_first_word() -> None:
    assert [is_vtt(text) for text in ("WEBVTT", "WEBVTT\r\n", "WEBVTT\r\r", "WEBVTT x", "WEBVTTs", " WEBVTT", "")] == [
        *[True] * 4,
        *[False] * 3,
    ]
    assert list(cues("WEBVTT\n00:00.000 --> 00:01.000\nHi.")) == [Cue(2, "00:00.000 --> 00:01.000", ("Hi.",))]
    assert list(cues("WEBVTT\n")) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_every_system(end: str) -> None:
    assert list(cues(SRT.replace("\n", end))) == list(cues(SRT))


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ("00:00:01,000 --> 00:00:02,500", (1.0, 2.5)),
        ("00:01.000-->00:02.500", (1.0, 2.5)),
        ("1:2:3.004 --> 0123:59:59,999 X1:40 X2:600", (3723.004, 446399.999)),
    ],
)
def test_times(times: str, expected: tuple[float, float]) -> None:
    assert seconds(times) == expected


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        ("00:00:01,5 --> 00:00:02,500", "bad_times"),
        ("00:00:01 --> 00:00:02", "bad_times"),
        ("00:61:00,000 --> 02:00:00,000", "bad_times"),
        ("00:00:60,000 --> 02:00:00,000", "bad_times"),
        ("-00:00:01,000 --> 00:00:02,000", "bad_times"),
        ("00:00:01,000 --> 00:00:02,0000", "bad_times"),
        ("00:00:01,000 --> 00:00:02,000Hi", "bad_times"),
        ("٠٠:00:01,000 --> 00:00:02,000", "bad_times"),
        ("99999:00:01,000 --> 00:00:02,000", "bad_times"),
        ("-->", "bad_times"),
        ("he said --> she said", "bad_times"),
        ("00:00:02,000 --> 00:00:02,000", "end_before_start"),
        ("00:00:02,000 --> 00:00:01,999", "end_before_start"),
    ],
)
def test_times_that_make_no_sense(times: str, reason: str) -> None:
    with pytest.raises(BadRow) as caught:
        seconds(times)
    assert caught.value.reason == reason


LINE = st.sampled_from(
    ["", " ", "1", "WEBVTT", "NOTE x", "00:01.000 --> 00:02.000", "a --> b", "Hi.", "\x85", "\u2028"]
)
FILE = st.lists(st.one_of(LINE, st.text(st.characters(exclude_characters="\r\n"), max_size=20)), max_size=20)


@settings(max_examples=300, deadline=None)
@given(FILE)
def test_no_cue_is_lost_whatever_the_file_holds(lines: list[str]) -> None:
    found = list(cues("\n".join(lines)))
    arrows = [number for number, line in enumerate(lines, 1) if ARROW in line]
    told = {item.line for item in found}
    assert {*arrows} <= told
    assert len([item for item in found if isinstance(item, Cue)]) <= len(arrows)
    for item in found:
        if isinstance(item, Cue):
            assert item.times == lines[item.line - 1].strip(" \t")
            assert list(item.text) == [line.strip(" \t") for line in lines[item.line : item.line + len(item.text)]]


def seconds_or_reason(times: str) -> tuple[float, float] | str:
    try:
        return seconds(times)
    except BadRow as fault:
        return fault.reason


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=80))
def test_times_are_two_numbers_or_a_reason(text: str) -> None:
    for times in (text, f"00:00:01,000 --> {text}", f"{text} --> 00:00:02,000"):
        found = seconds_or_reason(times)
        assert found in ("bad_times", "end_before_start") or 0 <= found[0] < found[1]
