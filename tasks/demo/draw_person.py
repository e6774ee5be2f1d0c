"""Bodies of the drawn world: clothes, hair, postures; the face comes from ``draw_face``.

Coordinates are in half head heights around the middle of the head, as in ``draw_face``; a standing person
reaches from -1.2 (hair) to 5.2 (shoes).
"""

from __future__ import annotations

import math

import numpy as np

from tasks.demo.canvas import Canvas, Color, blend, curve, shade
from tasks.demo.draw_face import CHATTER, INK, draw_face, skin_of
from tasks.demo.world import POSTURES, Person

STANDING, SITTING, CROSSED, RAISED, CHEEKS, POINTING = POSTURES
_SKIN: tuple[Color, ...] = (
    (190, 215, 250),
    (165, 195, 240),
    (140, 175, 225),
    (105, 145, 205),
    (75, 110, 170),
)
_CLOTHES: dict[str, Color] = {
    "red": (45, 45, 215),
    "orange": (25, 130, 250),
    "yellow": (50, 220, 250),
    "green": (70, 160, 45),
    "blue": (215, 110, 35),
    "purple": (165, 55, 140),
    "white": (245, 245, 245),
    "black": (48, 42, 42),
}
_HAIR: dict[str, Color] = {
    "black": (38, 30, 28),
    "brown": (38, 72, 125),
    "grey": (175, 175, 172),
    "blond": (95, 205, 245),
    "red": (35, 85, 215),
}
_OUTLINE = 0.055


def draw_person(spot: Canvas, person: Person, time_s: float, rng: np.random.Generator, talking: bool) -> None:
    """One person around ``spot``; ``rng`` fixes skin, tones and the rhythm of blinking and moving."""
    skin = blend(_SKIN[int(rng.integers(len(_SKIN)))], (128, 128, 128), float(rng.uniform(0, 0.06)))
    cloth = shade(_CLOTHES[person.clothing], float(rng.uniform(0.92, 1.06)))
    trousers: Color = ((110, 80, 60), (70, 60, 55), (90, 105, 120))[int(rng.integers(3))]
    phase, pace, side = float(rng.uniform(0, 6.28)), float(rng.uniform(1.4, 2.2)), rng.choice((-1.0, 1.0))
    sway = math.sin(time_s * pace + phase)
    hand = blend(skin, (0, 0, 0), 0.0)
    if person.posture == SITTING:
        _chair(spot)
    _legs(spot, person.posture, trousers)
    shake = 0.02 * math.sin(time_s * 40) if person.expression == CHATTER else 0.0
    head = spot.moved(0.04 * sway + shake, 0.0, 1.0, 3.0 * sway + float(rng.uniform(-4, 4)))
    _back_hair(head, person.hair)
    _torso(spot, person.figure, cloth, hand)
    if person.posture in (STANDING, SITTING, CROSSED):
        _arms(spot, person, cloth, hand, sway, float(side))
    talk = abs(math.sin(time_s * 9 + phase) * math.sin(time_s * 4.3)) if talking else 0.0
    blink = (time_s + phase) % 3.4 < 0.13
    _head(head, person, skin, talk, blink)
    if person.posture in (RAISED, CHEEKS, POINTING):
        _arms(spot, person, cloth, hand, sway, float(side))


def _head(head: Canvas, person: Person, skin: Color, talk: float, blink: bool) -> None:
    tinted = skin_of(skin, person.expression)
    for side in (-1.0, 1.0):
        head.ellipse((side * 0.84, 0.05), (0.14, 0.2), shade(tinted, 0.95), _OUTLINE)
        if person.figure == "woman":
            head.ellipse((side * 0.9, 0.34), (0.09, 0.09), (60, 215, 250), 0.03)
    if person.figure == "man":
        jaw = [(0.83, 0.1), (0.76, 0.62), (0.42, 0.98), (-0.42, 0.98), (-0.76, 0.62), (-0.83, 0.1)]
        head.polygon([*jaw, *curve((0.0, -0.05), (0.83, 0.95), 180, 360)], tinted, _OUTLINE)
    else:
        chin = [(0.81, 0.1), (0.66, 0.6), (0.28, 0.96), (-0.28, 0.96), (-0.66, 0.6), (-0.81, 0.1)]
        head.polygon([*chin, *curve((0.0, -0.05), (0.81, 0.95), 180, 360)], tinted, _OUTLINE)
    draw_face(head, person.expression, person.figure, tinted, talk, blink)
    _front_hair(head, person.hair)


def _hair_color(hair: str) -> Color | None:
    return next((color for name, color in _HAIR.items() if name in hair), None)


def _back_hair(head: Canvas, hair: str) -> None:
    color = _hair_color(hair)
    if color is None:
        return
    if "long" in hair:
        sides = [(1.08, -0.2), (1.16, 0.8), (1.05, 1.75), (-1.05, 1.75), (-1.16, 0.8), (-1.08, -0.2)]
        head.polygon([*sides, *curve((0.0, -0.2), (1.08, 1.0), 180, 360)], shade(color, 0.85), _OUTLINE)
    elif "curly" in hair:
        for degrees in range(150, 400, 25):
            x, y = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            head.ellipse((x * 0.95, y * 0.95 - 0.1), (0.38, 0.38), shade(color, 0.85), _OUTLINE)


def _front_hair(head: Canvas, hair: str) -> None:
    color = _hair_color(hair)
    if color is None:
        head.line(curve((-0.1, -0.3), (0.5, 0.5), 225, 265), (255, 255, 255), 0.07)
    elif "curly" in hair:
        for x, y in ((-0.62, -0.72), (0.62, -0.72), (-0.3, -0.88), (0.3, -0.88), (0.0, -0.95)):
            head.ellipse((x, y), (0.27, 0.24), color)
        for x in (-0.45, 0.0, 0.45):
            head.line(curve((x, -0.85), (0.13, 0.1), 180, 380), shade(color, 1.3), 0.05)
    elif "long" in hair:
        parting = [(0.0, -1.12), (-0.1, -0.75), (-0.55, -0.62), (-0.84, -0.1), (-0.86, 0.75), (-1.1, 0.8)]
        head.polygon([*parting, *curve((0.0, -0.2), (1.06, 1.0), 180, 270)], color)
        mirrored = [(-x, y) for x, y in parting]
        head.polygon([*mirrored, *curve((0.0, -0.2), (1.06, 1.0), 360, 270)], color)
        head.line([(0.0, -1.15), (-0.02, -0.78)], shade(color, 0.7), 0.04)
    else:
        fringe = [(0.9, -0.12), (0.72, -0.6), (0.35, -0.68), (-0.1, -0.62), (-0.5, -0.7), (-0.74, -0.56)]
        head.polygon([*fringe, (-0.9, -0.12), *curve((0.0, -0.15), (0.92, 1.0), 180, 360)], color, _OUTLINE)
        head.line(curve((-0.1, -0.3), (0.6, 0.62), 225, 290), blend(color, (255, 255, 255), 0.3), 0.06)


def _torso(spot: Canvas, figure: str, cloth: Color, skin: Color) -> None:
    wide, hip = (1.3, 0.95) if figure == "man" else (1.05, 0.9)
    spot.polygon([(-0.32, 0.7), (0.32, 0.7), (0.36, 1.4), (-0.36, 1.4)], shade(skin, 0.85), _OUTLINE)
    waist = 0.95 if figure == "man" else 0.72
    right = [(0.36, 1.12), (wide - 0.15, 1.3), (wide, 1.6), (waist, 2.5), (hip, 3.3)]
    spot.polygon([*right, *((-x, y) for x, y in reversed(right))], cloth, _OUTLINE)
    if figure == "man":
        spot.polygon([(-0.36, 1.1), (0.36, 1.1), (0.0, 1.6)], skin, _OUTLINE)
        spot.line([(0.0, 1.6), (0.0, 3.2)], shade(cloth, 0.75), 0.05)
    else:
        spot.polygon(curve((0.0, 1.1), (0.42, 0.3), 0, 180), skin, _OUTLINE)


def _legs(spot: Canvas, posture: str, trousers: Color) -> None:
    for side in (-1.0, 1.0):
        if posture == SITTING:
            leg = [(side * 0.45, 3.4), (side * 0.7, 3.75), (side * 0.62, 4.8)]
        else:
            leg = [(side * 0.45, 3.1), (side * 0.48, 4.9)]
        spot.line(leg, INK, 0.78)
        spot.line(leg, trousers, 0.68)
        foot = leg[-1]
        spot.ellipse((foot[0] + side * 0.12, 5.12), (0.45, 0.2), (50, 45, 60), _OUTLINE)


def _chair(spot: Canvas) -> None:
    wood: Color = (50, 95, 150)
    for side in (-1.0, 1.0):
        spot.rectangle(side * 1.5 - 0.12, 3.2, 0.24, 1.9, shade(wood, 0.7), 0.04)
    back = [(-1.75, 0.75), (-1.55, 0.5), (1.55, 0.5), (1.75, 0.75), (1.75, 3.5), (-1.75, 3.5)]
    spot.polygon(back, wood, 0.07)
    for x in (-1.45, 1.45):
        spot.line([(x, 0.8), (x, 3.4)], shade(wood, 0.75), 0.07)


def _arms(spot: Canvas, person: Person, cloth: Color, skin: Color, sway: float, side: float) -> None:
    shoulder = 1.12 if person.figure == "man" else 0.9
    down = {
        -1.0: [(-shoulder - 0.32, 2.4), (-shoulder - 0.2, 3.2)],
        1.0: [(shoulder + 0.32, 2.4), (shoulder + 0.2, 3.2)],
    }
    for arm in (-side, side):
        start = (arm * shoulder, 1.6)
        if person.posture == CROSSED:
            height = 1.95 if arm == side else 2.05
            rest = [(arm * (shoulder + 0.22), 2.15), (-arm * 0.62, height - 0.12)]
            _arm(spot, [start, *rest], cloth, skin, fingers=0)
        elif person.posture == RAISED:
            lift = 0.1 * sway * arm
            rest = [(arm * (shoulder + 0.45), 1.15), (arm * 1.5, -0.35 + lift)]
            _arm(spot, [start, *rest], cloth, skin, fingers=4)
        elif person.posture == CHEEKS:
            rest = [(arm * (shoulder + 0.1), 2.2), (arm * 0.86, 0.62 + 0.03 * sway)]
            _arm(spot, [start, *rest], cloth, skin, fingers=0)
        elif person.posture == POINTING and arm == side:
            rest = [(arm * (shoulder + 0.5), 1.7), (arm * 1.42, 0.1 + 0.06 * sway)]
            _arm(spot, [start, *rest], cloth, skin, fingers=1)
        elif person.posture == SITTING:
            rest = [(arm * (shoulder + 0.28), 2.5), (arm * 0.62, 3.4)]
            _arm(spot, [start, *rest], cloth, skin, fingers=0)
        else:
            _arm(spot, [start, *down[arm]], cloth, skin, fingers=0)


def _arm(spot: Canvas, points: list[tuple[float, float]], cloth: Color, skin: Color, fingers: int) -> None:
    spot.line(points, INK, 0.58)
    spot.line(points, cloth, 0.47)
    x, y = points[-1]
    spread = {0: (), 1: (0.0,), 4: (-0.55, -0.18, 0.18, 0.55)}[fingers]
    for turn in spread:
        reach = 0.62 if fingers == 1 else 0.45
        tip = (x + math.sin(turn) * reach, y - 0.1 - math.cos(turn) * reach)
        spot.line([(x, y), tip], INK, 0.22)
        spot.line([(x, y), tip], skin, 0.13)
    spot.ellipse((x, y), (0.29, 0.29), skin, _OUTLINE)
    if fingers:
        spot.ellipse((x, y), (0.25, 0.25), skin)
