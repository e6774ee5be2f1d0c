"""A voice without words: tones whose pitch, loudness and rate follow the speaker and the emotion."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

SAMPLE_RATE = 22_050
VIBRATO_HZ = 6


@dataclass(frozen=True, slots=True)
class Manner:
    """Factors on the speaker's own pitch and rate, peak loudness 0..1, and vibrato as a share of the pitch."""

    pitch: float
    rate: float
    loudness: float
    vibrato: float


MANNERS = {
    "neutral": Manner(1.0, 1.0, 0.45, 0.01),
    "joy": Manner(1.25, 1.15, 0.65, 0.03),
    "sadness": Manner(0.85, 0.75, 0.3, 0.02),
    "anger": Manner(1.1, 1.2, 0.9, 0.01),
    "surprise": Manner(1.45, 1.0, 0.7, 0.02),
    "fear": Manner(1.3, 1.3, 0.4, 0.08),
    "disgust": Manner(0.9, 0.85, 0.5, 0.015),
}


def speak(text: str, *, speaker: str, figure: str, emotion: str, seconds: float, seed: int) -> np.ndarray[Any, Any]:
    """Mono int16 samples at SAMPLE_RATE, ``round(seconds * SAMPLE_RATE)`` of them; same arguments, same samples."""
    own, rng = _generator(seed, speaker), _generator(seed, speaker, text, emotion)
    manner = MANNERS[emotion]
    base = manner.pitch * float(own.normal(115, 12) if figure == "man" else own.normal(205, 16))
    formants = own.normal((620, 1500, 2600), (60, 120, 150))
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = 0.002 * rng.standard_normal(time.size)
    length = 0.2 / manner.rate
    start, words = 0.12, text.split()
    for word in words:
        for _ in range(max(1, len(word) // 4)):
            pitch = base * float(rng.uniform(0.9, 1.12)) * (1.3 if word is words[-1] and "?" in word else 1.0)
            sound += _syllable(time - start, length, pitch, manner.vibrato, formants * rng.uniform(0.8, 1.2, 3))
            start += length
        start += length * (0.9 if word[-1] in ".,?!" else 0.25)
    peak = float(np.abs(sound).max())
    return np.asarray((sound / peak * manner.loudness * 32_000).astype(np.int16))


def _syllable(
    time: np.ndarray[Any, Any], length: float, pitch: float, vibrato: float, formants: np.ndarray[Any, Any]
) -> np.ndarray[Any, Any]:
    """Harmonics of ``pitch`` under three formant peaks, for 0 <= time < length seconds, silence elsewhere."""
    sound = np.zeros_like(time)
    inside = (time >= 0) & (time < length)
    now = time[inside]
    phase = 2 * math.pi * pitch * now + vibrato * pitch / VIBRATO_HZ * np.sin(2 * math.pi * VIBRATO_HZ * now)
    for harmonic in range(1, int(3800 / pitch) + 1):
        gain = np.exp(-(((harmonic * pitch - formants) / 260) ** 2)).sum() + 0.05
        sound[inside] += gain / harmonic**0.5 * np.sin(harmonic * phase)
    sound[inside] *= np.sin(math.pi * now / length) ** 0.6
    return sound


def _generator(*key: object) -> np.random.Generator:
    return np.random.default_rng(int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:8], "big"))
