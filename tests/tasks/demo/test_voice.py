from __future__ import annotations

from typing import Any

import numpy as np

from model.emotions import labels
from tasks.demo.voice import MANNERS, SAMPLE_RATE, speak


def voice(text: str = "Oh. You came.", **change: Any) -> np.ndarray[Any, Any]:
    said = {"speaker": "Mara", "figure": "woman", "emotion": "neutral", "seconds": 2.0, "seed": 7}
    return speak(text, **{**said, **change}).astype(np.float64)


def pitch(sound: np.ndarray[Any, Any]) -> float:
    """The strongest period between 70 and 400 Hz, as a frequency."""
    spectrum = np.fft.rfft(sound, 2 * sound.size)
    likeness = np.fft.irfft(np.abs(spectrum) ** 2)
    first, last = SAMPLE_RATE // 400, SAMPLE_RATE // 70
    return SAMPLE_RATE / (first + int(np.argmax(likeness[first:last])))


def test_every_label_has_a_manner() -> None:
    assert set(MANNERS) == set(labels("demo"))


def test_the_same_arguments_make_the_same_samples() -> None:
    assert np.array_equal(voice(), voice())
    assert not np.array_equal(voice(), voice(seed=8))


def test_it_lasts_as_long_as_asked_and_does_not_clip() -> None:
    sound = speak("Oh.", speaker="Sam", figure="man", emotion="anger", seconds=1.5, seed=1)
    assert sound.dtype == np.int16
    assert sound.size == round(1.5 * SAMPLE_RATE)
    assert 20_000 < np.abs(sound.astype(int)).max() < 32_767


def test_anger_is_louder_than_sadness_and_fear_is_faster() -> None:
    assert np.abs(voice(emotion="anger")).max() > 2 * np.abs(voice(emotion="sadness")).max()
    speaking = {emotion: np.abs(voice(emotion=emotion)) > 1_000 for emotion in ("fear", "sadness")}
    last = {emotion: int(np.flatnonzero(loud)[-1]) for emotion, loud in speaking.items()}
    assert last["fear"] < last["sadness"]


def test_speakers_have_their_own_voices() -> None:
    assert not np.array_equal(voice(), voice(speaker="Nina"))
    assert 80 < pitch(voice("Oh.", speaker="Sam", figure="man")) < 150 < pitch(voice("Oh.")) < 260


def test_surprise_is_higher_than_sadness() -> None:
    assert pitch(voice("Oh.", emotion="surprise")) > 1.2 * pitch(voice("Oh.", emotion="sadness"))
