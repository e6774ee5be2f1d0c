from __future__ import annotations

from dataclasses import replace

from model.caption_quality import fault_of
from model.captioner import Described
from model.contradiction import contradiction
from model.cues import cues, describe
from model.detectors import Detected
from model.dialogue import FaceBox, FaceExpression, FoundObject, FoundPerson, Keyframe
from model.emotions import emotion_words
from model.errors import VideoError
from model.objects import NAMES


def face(across: float, height: float, score: float = 0.9) -> FaceBox:
    """A face of a picture of 400 x 200: its middle as a share of the width, its height as one of the height."""
    width = 0.8 * 200 * height
    return 400 * across - width / 2, 10.0, width, 200 * height, score


def frame(time_s: float, *faces: FaceBox, novelty: float = 8.0) -> Keyframe:
    jpeg = f"{time_s}".encode()
    return Keyframe("x/train/0/0", 0, time_s, jpeg, 400, 200, 1.0, novelty, 0.5, False, len(faces), faces, "test")


def test_faces_are_told_with_place_size_and_number() -> None:
    assert cues([frame(0.4)]) == "0.4 s: no face."
    assert cues([frame(0.44, face(0.5, 0.62))]) == "0.4 s: one face, in the middle, very near (height 62 %)."
    assert cues([frame(1, face(0.9, 0.2), face(0.2, 0.3))]) == (
        "1.0 s: two faces: on the left, near (height 30 %); on the right, at some distance (height 20 %); "
        "their middles are 7.0 face widths apart."
    )
    assert cues([frame(1, *(face(n / 12, 0.05 + n / 100) for n in range(1, 12)))]) == (
        "1.0 s: 11 faces, the largest on the right, at some distance (height 16 %)."
    )
    assert "perhaps one face" in cues([frame(1, face(0.5, 0.1, score=0.61))])


def test_frames_that_show_the_same_are_told_at_once() -> None:
    said = cues([frame(0.4, face(0.5, 0.60)), frame(1.6, face(0.55, 0.64)), frame(2.8, face(0.9, 0.6))])
    assert said == (
        "0.4 s to 1.6 s: one face, in the middle, very near (height 60 to 64 %). "
        "2.8 s: one face, on the right, very near (height 60 %)."
    )


def test_change_between_frames() -> None:
    assert (
        cues([frame(0), frame(1, novelty=76.0), frame(2)])
        == "0.0 s: no face. 1.0 s to 2.0 s, another picture: no face."
    )
    assert cues([frame(0, novelty=0.0), frame(1, novelty=2.0)]).endswith("no face. The picture hardly changes.")
    assert cues([frame(0), frame(1, novelty=20.0)]).endswith("There is much movement.")
    cut_only = cues([frame(0), frame(1, novelty=90.0)])
    assert "movement" not in cut_only
    assert "hardly" not in cut_only


def test_as_a_captioner_would_answer() -> None:
    answer = describe([frame(0.4), frame(1.6)])
    assert isinstance(answer, Described)
    assert (answer.text, answer.n_frames, answer.n_tokens) == ("0.4 s to 1.6 s: no face.", 2, 0)
    nothing = describe([])
    assert isinstance(nothing, VideoError)
    assert nothing.reason == "no_frames"


def test_what_is_said_reads_like_a_caption() -> None:
    """It is not judged, but whoever reads the measures must not be misled."""
    for count in range(4):
        moving = [frame(n, *(face((k + n / 8) / 4, 0.1 + n / 20) for k in range(count))) for n in range(4)]
        assert fault_of(cues(moving)) is None, cues(moving)
        assert emotion_words(cues(moving)) == ()


def test_whatever_a_detector_says_can_be_told() -> None:
    odd = (0.0, 0.0, 0.0, 200.0, 0.9), (400.0, 0.0, 0.1, 0.1, 0.0), (0.0, 0.0, 400.0, 200.0, 1.0)
    for faces in (odd[:1], odd[:2], odd, odd * 20):
        assert cues([frame(0, *faces)]).startswith("0.0 s: ")


def body(rank: int, score: float) -> FoundPerson:
    return rank, 0.0, 0.0, 90.0, 90.0, score


def read(rank: int, face: int, happy: float, fear: float = 0.0) -> FaceExpression:
    return rank, face, 0.0, 0.0, fear, happy, 0.0, 0.0, 0.0


def ranked(*shown: Keyframe) -> list[Keyframe]:
    return [replace(one, rank=rank) for rank, one in enumerate(shown)]


def test_people_are_told_as_another_detectors_word() -> None:
    frames = ranked(frame(0.4), frame(1.6), frame(2.8, face(0.5, 0.6)), frame(4.0))
    found = Detected(people=(body(0, 0.92), body(1, 0.8), body(2, 0.9), body(2, 0.7)))
    said = cues(frames, found)
    assert said == (
        "0.4 s to 1.6 s: no face; one person by a body detector (0.80 to 0.92). "
        "2.8 s: one face, in the middle, very near (height 60 %); "
        "perhaps two people by a body detector (0.70 to 0.90). "
        "4.0 s: no face; no person by a body detector."
    )
    assert contradiction(said, frames, found.people) == "none"
    assert contradiction(cues(frames[:2], Detected(people=())), frames[:2], ()) == "none"
    assert fault_of(said) is None


def test_readings_are_told_with_whose_word_they_are() -> None:
    """The scores of a face go with its place in the keyframe, not with its place in the picture."""
    both = face(0.9, 0.2), face(0.2, 0.3)
    frames = ranked(frame(0, *both), frame(1, *both), frame(2, *both))
    scores = [*(read(n, 0, 0.9 + n / 20) for n in (0, 1)), *(read(n, 1, 0.3, 0.1 * n) for n in (0, 1))]
    said = cues(frames, Detected(expressions=(*scores, read(2, 0, 0.1, 0.6), read(2, 1, 0.3))))
    gap = "; their middles are 7.0 face widths apart"
    left = "on the left, near (height 30 %; a small classifier reads nothing clear in it, 0.30 at most)"
    right = "on the right, at some distance (height 20 %; a small classifier reads it as {})"
    assert said == (
        f"0.0 s to 1.0 s: two faces: {left}; {right.format('happy, 0.90 to 0.95')}{gap}. "
        f"2.0 s: two faces: {left}; {right.format('fear, 0.60')}{gap}."
    )
    assert emotion_words(said) == ("happy", "fear"), "the leak measure counts what is told"
    many = [face(n / 12, 0.05 + n / 100) for n in range(1, 12)]
    crowd = cues([frame(0, *many)], Detected(expressions=tuple(read(0, n, n / 10) for n in range(11))))
    assert crowd.endswith("(height 16 %; a small classifier reads it as happy, 1.00).")


def thing(rank: int, name: str, score: float) -> FoundObject:
    return rank, name, 0.0, 0.0, 90.0, 90.0, score


def test_things_are_counted_with_their_scores() -> None:
    frames = ranked(frame(0.4), frame(1.6), frame(2.8), frame(4.0))
    same = [thing(rank, name, score + rank / 100) for rank in (0, 1) for name, score in (("cup", 0.9), ("bus", 0.65))]
    more = thing(0, "cup", 0.8), thing(1, "cup", 0.78), thing(2, "wine glass", 0.9), thing(2, "wine glass", 0.7)
    found = Detected(people=(), objects=(*same, *more))
    said = cues(frames, found)
    nobody = "no face; no person by a body detector"
    assert said == (
        f"0.4 s to 1.6 s: {nobody}; perhaps one bus (0.65 to 0.66), two cups (0.78 to 0.91) by an object detector. "
        f"2.8 s: {nobody}; perhaps two wine glasses (0.70 to 0.90) by an object detector. "
        f"4.0 s: {nobody}."
    )
    assert contradiction(said, frames, ()) == "none"
    assert fault_of(said) is None
    assert emotion_words(said) == ()
    full = cues(frames[:1], Detected(objects=tuple(thing(0, name, 0.9) for name in NAMES.values())))
    assert full.count(" one ") == 79
    assert (emotion_words(full), contradiction(full, frames)) == ((), "none")
