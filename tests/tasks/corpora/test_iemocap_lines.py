from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from iemocap_release import HEADING, RATERS, evaluation, transcription

from tasks.corpora.iemocap_lines import Evaluation, OddLine, Transcription, evaluations, transcriptions
from tasks.corpora.transcript import clean

NAME = "Ses01F_impro01_F000"


def test_an_evaluation_keeps_times_majority_and_raters() -> None:
    text = (
        f"{HEADING}\n\n[6.2901 - 8.2357]\t{NAME}\tneu\t[2.5000, 2.5000, 2.5000]\r\n{RATERS}\n"
        f"\n[10.0100 - 11.3925]\t{NAME[:-1]}1\txxx\t[-1, 2.5, 2.5]\n"
    )
    assert list(evaluations(text)) == [
        Evaluation(
            *(NAME, 6.2901, 8.2357, "neu"),
            raters=("E2:neutral", "E3:anger,frustration", "E4:neutral state", "F1:sadness"),
        ),
        Evaluation(f"{NAME[:-1]}1", 10.01, 11.3925, "xxx"),
    ]


def test_a_transcription_keeps_the_words() -> None:
    text = f"{NAME} [006.2901-008.2357]: Excuse  me: [LAUGHTER]\n\nM: [BREATHING]\n"
    assert list(transcriptions(text)) == [Transcription(NAME, "Excuse me: [LAUGHTER]"), OddLine(3, "M: [BREATHING]")]


@pytest.mark.parametrize(
    "line",
    [
        f"[-1.0 - 2.0]\t{NAME}\tneu\t[2.5, 2.5, 2.5]",
        f"[nan - 2.0]\t{NAME}\tneu\t[2.5, 2.5, 2.5]",
        f"[1e3 - 2e3]\t{NAME}\tneu\t[2.5, 2.5, 2.5]",
        f"[{'9' * 400} - {'9' * 401}]\t{NAME}\tneu\t[2.5, 2.5, 2.5]",
        f"[١.٠ - ٢.٠]\t{NAME}\tneu\t[2.5, 2.5, 2.5]",
        "[1.0 - 2.0]\t../../etc/passwd\tneu\t[2.5, 2.5, 2.5]",
        f"[1.0 - 2.0]\t{NAME}\tneu",
        "what is this",
    ],
)
def test_a_line_of_another_form_is_named_and_takes_its_raters_along(line: str) -> None:
    before, after = evaluation(NAME, 1, 2, raters=""), evaluation(NAME, 3, 4)
    found = list(evaluations(f"{before}{line}\nC-E1:\tAnger;\t()\n{after}"))
    assert [type(item) for item in found] == [Evaluation, OddLine, Evaluation]
    assert found[1] == OddLine(4, line[:60])
    first = found[0]
    assert isinstance(first, Evaluation)
    assert first.raters == ()


@pytest.mark.parametrize(
    "rater", ["C-E1:", "C-E1:\t;\t()", "C-E1", "C-E12:\tAnger;", "C-E1:\t<b>;\t()", "C-E1:\t(x) Anger"]
)
def test_a_rating_of_another_form_is_left_out(rater: str) -> None:
    (found,) = evaluations(evaluation(NAME, 1, 2, raters=f"{rater}\nC-E2:\tOther;\t(contempt)"))
    assert isinstance(found, Evaluation)
    assert found.raters == ("E2:other",)


TIMES = st.integers(0, 10**8).map(lambda ticks: ticks / 10**4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(TIMES, TIMES, st.sampled_from(["neu", "xxx", "exc"])), max_size=5))
def test_whatever_is_written_in_the_form_is_read_back(lines: list[tuple[float, float, str]]) -> None:
    text = "".join(evaluation(f"Ses05M_script01_1b_M{at:03d}", *line) for at, line in enumerate(lines))
    found = [item for item in evaluations(text) if isinstance(item, Evaluation)]
    assert [(item.start_s, item.end_s, item.code) for item in found] == lines


@settings(max_examples=50, deadline=None)
@given(st.text(alphabet=st.characters(exclude_characters="\r\n")))
@example("Well\x85")
def test_any_words_on_one_line_stay_one_line(words: str) -> None:
    assert list(transcriptions(transcription(NAME, 1, 2, words))) == [Transcription(NAME, clean(words))]


@settings(max_examples=100, deadline=None)
@given(st.text() | st.text(alphabet="[]0123456789. -\tSes_FMCAE:;()\n"))
def test_any_text_gives_lines_and_no_error(text: str) -> None:
    assert all(isinstance(item, Evaluation | OddLine) for item in evaluations(text))
    assert all(isinstance(item, Transcription | OddLine) for item in transcriptions(text))
