"""Faces of the drawn world: each expression is a set of visible cues around eyes, brows and mouth.

Coordinates are in half head heights around the middle of the head: the head reaches from -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

from tasks.demo.canvas import Canvas, Color, blend, curve, shade
from tasks.demo.world import EXPRESSIONS

CALM, SMILE, CRY, DOWN, GLARE, GAPE, CHATTER, DISGUST = EXPRESSIONS
INK: Color = (40, 34, 38)
WHITE: Color = (250, 250, 250)
MOUTH: Color = (50, 28, 96)
TONGUE: Color = (120, 105, 235)
TEAR: Color = (250, 190, 90)
_EYE_X = 0.36


@dataclass(frozen=True, slots=True)
class Cues:
    """Eyes: half height, pupil radius, gaze; brows: height of the inner and the outer end."""

    eye: float
    pupil: float
    gaze: float
    brow_inner: float
    brow_outer: float
    tint: Color
    tint_part: float


_CUES = {
    CALM: Cues(0.14, 0.1, 0.0, -0.4, -0.38, (0, 0, 0), 0.0),
    SMILE: Cues(0.0, 0.0, 0.0, -0.46, -0.42, (120, 140, 250), 0.12),
    CRY: Cues(0.0, 0.0, 0.0, -0.46, -0.24, (110, 110, 235), 0.12),
    DOWN: Cues(0.12, 0.09, 0.07, -0.44, -0.28, (150, 140, 140), 0.15),
    GLARE: Cues(0.13, 0.08, 0.0, -0.16, -0.46, (50, 50, 235), 0.32),
    GAPE: Cues(0.25, 0.09, 0.0, -0.6, -0.56, (0, 0, 0), 0.0),
    CHATTER: Cues(0.23, 0.055, 0.0, -0.62, -0.34, (225, 205, 170), 0.38),
    DISGUST: Cues(0.09, 0.07, 0.03, -0.22, -0.34, (60, 175, 120), 0.32),
}


def skin_of(skin: Color, expression: str) -> Color:
    """The skin colour, flushed or pale as the expression wants it."""
    cues = _CUES[expression]
    return blend(skin, cues.tint, cues.tint_part)


def draw_face(head: Canvas, expression: str, figure: str, skin: Color, talk: float, blink: bool) -> None:
    """Eyes, brows, nose and mouth; ``talk`` (0..1) opens the mouth, ``skin`` is already tinted."""
    cues = _CUES[expression]
    face = head.moved(0.0, 0.12) if expression == DOWN else head
    for side in (-1.0, 1.0):
        _eye(face, side, cues, expression, figure, skin, blink)
        _brow(face, side, cues, expression, figure)
    _nose(face, expression, skin)
    if figure == "man":
        face.polygon(curve((0.0, 0.55), (0.5, 0.42), 20, 160), shade(skin, 0.88))  # stubble
    _MOUTHS[expression](face, talk, figure)
    _extras(face, expression)


def _eye(face: Canvas, side: float, cues: Cues, expression: str, figure: str, skin: Color, blink: bool) -> None:
    x, y, high = side * _EYE_X, -0.08, cues.eye
    if expression == DISGUST and side > 0:
        high *= 0.55
    if expression == SMILE:
        face.line(curve((x, 0.0), (0.19, 0.19), 200, 340), INK, 0.075)
    elif expression == CRY:
        face.line(curve((x, -0.14), (0.19, 0.15), 15, 165), INK, 0.075)
    elif blink:
        face.line([(x - 0.18, y + 0.03), (x + 0.18, y + 0.03)], INK, 0.06)
    else:
        face.ellipse((x, y), (0.2, high), WHITE, 0.045)
        face.ellipse((x, y + cues.gaze), (cues.pupil, min(cues.pupil, high)), INK)
        if expression == DOWN:  # heavy upper lids
            face.polygon(curve((x, y), (0.21, high + 0.02), 180, 360), shade(skin, 0.9))
            face.line([(x - 0.22, y - 0.01), (x + 0.22, y - 0.01)], INK, 0.06)
    if figure == "woman":
        edge = x + side * 0.2
        face.line([(edge - side * 0.04, y - 0.03), (edge + side * 0.1, y - 0.12)], INK, 0.05)
        face.line([(edge - side * 0.02, y + 0.02), (edge + side * 0.11, y - 0.02)], INK, 0.04)


def _brow(face: Canvas, side: float, cues: Cues, expression: str, figure: str) -> None:
    inner, outer = cues.brow_inner, cues.brow_outer
    if expression == DISGUST and side < 0:
        inner, outer = inner - 0.12, outer - 0.1
    middle = min(inner, outer) - 0.02 if expression in (GAPE, SMILE, CALM) else (inner + outer) / 2
    width = (0.1 if figure == "man" else 0.065) + (0.04 if expression == GLARE else 0.0)
    face.line([(side * 0.15, inner), (side * 0.36, middle), (side * 0.57, outer)], INK, width)


def _nose(face: Canvas, expression: str, skin: Color) -> None:
    dark = shade(skin, 0.7)
    face.line([(0.02, 0.02), (0.09, 0.22), (-0.03, 0.25)], dark, 0.05)
    if expression == DISGUST:
        for y in (-0.02, 0.07, 0.16):
            face.line([(-0.14, y - 0.03), (0.0, y + 0.02), (0.14, y - 0.03)], INK, 0.035)


def _calm(face: Canvas, talk: float, figure: str) -> None:
    if talk > 0.25:
        face.ellipse((0.0, 0.55), (0.17, 0.03 + 0.07 * talk), MOUTH, 0.05, _lips(figure))
    else:
        face.line([(-0.2, 0.55), (0.0, 0.57), (0.2, 0.55)], _lips(figure), 0.07)


def _smile(face: Canvas, talk: float, figure: str) -> None:
    deep = 0.32 + 0.1 * talk
    face.polygon(curve((0.0, 0.36), (0.47, deep), 0, 180), MOUTH, 0.06, _lips(figure))
    face.polygon([(-0.42, 0.37), (0.42, 0.37), (0.36, 0.48), (-0.36, 0.48)], WHITE)
    for side in (-1.0, 1.0):
        face.ellipse((side * 0.6, 0.22), (0.15, 0.1), (125, 125, 245))


def _cry(face: Canvas, talk: float, figure: str) -> None:
    high = 0.22 + 0.08 * talk
    face.polygon(curve((0.0, 0.75), (0.34, high), 180, 360), MOUTH, 0.06, _lips(figure))
    face.ellipse((0.0, 0.7), (0.16, 0.05), TONGUE)


def _down(face: Canvas, talk: float, figure: str) -> None:
    if talk > 0.6:
        face.ellipse((0.0, 0.56), (0.13, 0.04), MOUTH)
    face.line(curve((0.0, 0.7), (0.3, 0.18), 195, 345), _lips(figure), 0.08)


def _glare(face: Canvas, talk: float, figure: str) -> None:
    high = 0.13 + 0.05 * talk
    face.polygon(
        [(-0.4, 0.55 - high), (0.4, 0.55 - high), (0.46, 0.58 + high), (-0.46, 0.58 + high)],
        WHITE,
        0.06,
        _lips(figure),
    )
    face.line([(-0.42, 0.57), (0.42, 0.57)], INK, 0.035)
    for x in (-0.27, -0.13, 0.0, 0.13, 0.27):
        face.line([(x, 0.56 - high), (x, 0.57 + high)], INK, 0.03)


def _gape(face: Canvas, talk: float, figure: str) -> None:
    face.ellipse((0.0, 0.56), (0.2, 0.24 + 0.05 * talk), MOUTH, 0.06, _lips(figure))
    face.ellipse((0.0, 0.7), (0.11, 0.07), TONGUE)


def _chatter(face: Canvas, talk: float, figure: str) -> None:
    shake = 0.04 * talk
    upper = [(-0.42 + 0.105 * i, 0.42 + (0.05 + shake if i % 2 else -0.03)) for i in range(9)]
    lower = [(0.42 - 0.105 * i, 0.7 + (0.05 if i % 2 else -0.03 - shake)) for i in range(9)]
    face.polygon([*upper, *lower], WHITE, 0.055, _lips(figure))
    face.line([(-0.4 + 0.1 * i, 0.57 + (0.035 if i % 2 else -0.035)) for i in range(9)], INK, 0.04)


def _disgust(face: Canvas, talk: float, figure: str) -> None:
    face.line([(-0.34, 0.5), (-0.15, 0.42), (0.1, 0.5), (0.34, 0.42)], _lips(figure), 0.07)
    tip = 0.78 + 0.08 * talk
    face.polygon([(-0.13, 0.47), (0.17, 0.48), *curve((0.02, tip), (0.15, 0.16), 0, 180)], TONGUE, 0.05)
    face.line([(0.02, 0.54), (0.02, tip)], shade(TONGUE, 0.75), 0.035)


_MOUTHS = {
    CALM: _calm,
    SMILE: _smile,
    CRY: _cry,
    DOWN: _down,
    GLARE: _glare,
    GAPE: _gape,
    CHATTER: _chatter,
    DISGUST: _disgust,
}


def _extras(face: Canvas, expression: str) -> None:
    if expression == CRY:
        for side in (-1.0, 1.0):
            x = side * 0.42
            face.polygon(
                [(x - 0.05, 0.02), (x + 0.05, 0.02), (x + 0.1, 0.5), *curve((x, 0.55), (0.11, 0.11), 0, 180)],
                TEAR,
                0.03,
                (200, 130, 50),
            )
    elif expression == CHATTER:
        for x, y in ((-0.68, -0.5), (0.7, -0.36)):
            face.polygon([(x, y - 0.18), *curve((x, y), (0.08, 0.09), -20, 200)], TEAR, 0.03, (200, 130, 50))


def _lips(figure: str) -> Color:
    return (70, 50, 200) if figure == "woman" else INK
