"""Places of the drawn world. Coordinates are in picture heights: x from 0 to the aspect ratio, y from 0 to 1."""

from __future__ import annotations

import math

import numpy as np

from tasks.demo.canvas import Canvas, Color, blend, curve, shade

_WOOD: Color = (65, 110, 165)
_GLASS: Color = (250, 225, 175)


def draw_place(page: Canvas, place: str, aspect: float, rng: np.random.Generator) -> None:
    """Fills the page with ``place``; ``rng`` varies hues and furniture, never what makes it recognisable."""
    _PLACES[place](page, aspect, rng)


def _room(page: Canvas, aspect: float, wall: Color, floor: Color, rng: np.random.Generator) -> None:
    wall = shade(wall, float(rng.uniform(0.92, 1.05)))
    page.rectangle(0, 0, aspect, 0.78, wall)
    page.rectangle(0, 0.78, aspect, 0.22, floor)
    page.rectangle(0, 0.755, aspect, 0.03, shade(wall, 0.8))


def _kitchen(page: Canvas, aspect: float, rng: np.random.Generator) -> None:
    _room(page, aspect, (205, 230, 235), (120, 150, 170), rng)
    tile = blend((200, 205, 130), (255, 255, 255), float(rng.uniform(0.2, 0.5)))
    page.rectangle(0, 0.3, aspect, 0.3, tile)
    for i in range(int(aspect / 0.1) + 1):
        page.line([(i * 0.1, 0.3), (i * 0.1, 0.6)], (245, 245, 245), 0.008)
    for y in (0.4, 0.5):
        page.line([(0, y), (aspect, y)], (245, 245, 245), 0.008)
    front = blend(_WOOD, (90, 150, 90), float(rng.uniform(0, 0.4)))
    for i in range(math.ceil(aspect / 0.3)):
        page.rectangle(i * 0.3, 0, 0.3, 0.3, front, 0.008)
        page.rectangle(i * 0.3 + 0.03, 0.03, 0.24, 0.24, shade(front, 1.12))
        page.line([(i * 0.3 + 0.24, 0.18), (i * 0.3 + 0.24, 0.25)], (60, 60, 60), 0.014)
        page.rectangle(i * 0.3, 0.64, 0.3, 0.3, front, 0.008)
    page.rectangle(0, 0.59, aspect, 0.055, (190, 190, 200), 0.006)
    fridge = rng.choice((0.02, aspect - 0.36))
    page.rectangle(fridge, 0.05, 0.34, 0.85, (235, 235, 230), 0.01)
    page.line([(fridge, 0.4), (fridge + 0.34, 0.4)], (120, 120, 120), 0.008)
    page.line([(fridge + 0.05, 0.2), (fridge + 0.05, 0.34)], (90, 90, 90), 0.018)
    for i in range(3):
        x = aspect * (0.32 + 0.14 * i) + float(rng.uniform(-0.02, 0.02))
        page.rectangle(x, 0.5, 0.11, 0.09, ((60, 60, 190), (150, 150, 150), (150, 90, 40))[i], 0.006)
        page.line([(x - 0.03, 0.52), (x + 0.14, 0.52)], (60, 60, 60), 0.016)


def _living_room(page: Canvas, aspect: float, rng: np.random.Generator) -> None:
    _room(page, aspect, (150, 195, 235), (75, 105, 150), rng)
    for x in (0.42 * aspect, 0.58 * aspect, 0.74 * aspect):
        page.rectangle(x - 0.09, 0.08, 0.18, 0.2, (60, 90, 130), 0.006)
        art: Color = (int(rng.integers(90, 230)), int(rng.integers(90, 230)), int(rng.integers(90, 230)))
        page.rectangle(x - 0.065, 0.105, 0.13, 0.15, art)
        page.polygon([(x - 0.06, 0.25), (x, 0.15), (x + 0.06, 0.25)], shade(art, 0.6))
    page.rectangle(0.05, 0.06, 0.36, 0.68, shade(_WOOD, 0.7), 0.01)
    for row in range(4):
        page.rectangle(0.07, 0.08 + row * 0.165, 0.32, 0.14, (40, 60, 85))
        for i in range(7):
            book: Color = (int(rng.integers(40, 220)), int(rng.integers(40, 220)), int(rng.integers(40, 220)))
            page.rectangle(0.075 + i * 0.044, 0.1 + row * 0.165 + 0.02 * (i % 2), 0.036, 0.12 - 0.02 * (i % 2), book)
    sofa: Color = ((60, 70, 170), (110, 120, 60), (150, 100, 70))[int(rng.integers(3))]
    page.rectangle(0.5, 0.52, aspect - 0.7, 0.3, sofa, 0.01)
    page.rectangle(0.45, 0.68, aspect - 0.6, 0.2, shade(sofa, 0.85), 0.01)
    lamp = aspect - 0.15
    page.line([(lamp, 0.3), (lamp, 0.9)], (50, 50, 60), 0.018)
    page.ellipse((lamp, 0.27), (0.2, 0.2), blend((150, 195, 235), (190, 250, 255), 0.6))
    page.polygon(
        [(lamp - 0.07, 0.15), (lamp + 0.07, 0.15), (lamp + 0.13, 0.34), (lamp - 0.13, 0.34)], (120, 235, 255), 0.006
    )


def _office(page: Canvas, aspect: float, rng: np.random.Generator) -> None:
    _room(page, aspect, (205, 195, 185), (125, 115, 110), rng)
    page.rectangle(0.06, 0.06, 0.5, 0.44, _GLASS, 0.01)
    for i in range(9):
        page.line([(0.06, 0.085 + i * 0.048), (0.56, 0.085 + i * 0.048)], (235, 235, 235), 0.022)
    board = aspect - 0.68
    page.rectangle(board, 0.07, 0.6, 0.38, (252, 252, 252), 0.012)
    for i in range(5):
        high = float(rng.uniform(0.06, 0.26))
        bar: Color = ((70, 70, 220), (200, 120, 40), (70, 170, 70))[i % 3]
        page.rectangle(board + 0.06 + i * 0.08, 0.41 - high, 0.05, high, bar)
    page.line([(board + 0.08, 0.3), (board + 0.2, 0.2), (board + 0.32, 0.24), (board + 0.5, 0.12)], (40, 40, 40), 0.01)
    page.rectangle(0, 0.68, aspect, 0.05, (150, 170, 190), 0.008)
    page.rectangle(0, 0.73, aspect, 0.2, (120, 140, 160))
    for x in (0.1, aspect * 0.5 - 0.15, aspect - 0.4):
        page.rectangle(x, 0.48, 0.3, 0.18, (50, 45, 45), 0.008)
        page.rectangle(x + 0.02, 0.5, 0.26, 0.14, (190, 140, 60))
        page.line([(x + 0.15, 0.66), (x + 0.15, 0.69)], (50, 45, 45), 0.03)
    page.ellipse((aspect * 0.47, 0.15), (0.075, 0.075), (250, 250, 250), 0.012)
    page.line([(aspect * 0.47, 0.1), (aspect * 0.47, 0.15), (aspect * 0.47 + 0.035, 0.15)], (30, 30, 30), 0.01)


def _street(page: Canvas, aspect: float, rng: np.random.Generator) -> None:
    page.rectangle(0, 0, aspect, 1, (235, 205, 165))
    x = -float(rng.uniform(0, 0.2))
    while x < aspect:
        wide, top = float(rng.uniform(0.28, 0.42)), float(rng.uniform(0.02, 0.2))
        wall: Color = ((110, 120, 175), (130, 150, 165), (150, 130, 125), (120, 160, 190))[int(rng.integers(4))]
        page.rectangle(x, top, wide, 0.8 - top, wall, 0.006)
        for row in range(int((0.7 - top) / 0.13)):
            for column in range(3):
                lit = _GLASS if rng.random() < 0.6 else (130, 100, 80)
                page.rectangle(x + wide * (0.1 + 0.3 * column), top + 0.05 + row * 0.13, wide * 0.2, 0.075, lit)
        x += wide
    page.rectangle(0, 0.74, aspect, 0.06, (175, 178, 180))
    page.rectangle(0, 0.8, aspect, 0.2, (85, 80, 80))
    for i in range(int(aspect / 0.3) + 1):
        page.rectangle(i * 0.3 + 0.05, 0.89, 0.16, 0.022, (240, 240, 240))
    for x in (0.1, aspect - 0.1):
        page.line([(x, 0.12), (x, 0.8)], (60, 60, 55), 0.022)
        page.ellipse((x, 0.1), (0.05, 0.05), (150, 240, 255), 0.01)
    car = float(rng.uniform(0.3, aspect - 0.8))
    paint: Color = ((60, 60, 200), (190, 120, 40), (60, 190, 230))[int(rng.integers(3))]
    page.polygon([(car + 0.1, 0.68), (car + 0.17, 0.6), (car + 0.36, 0.6), (car + 0.43, 0.68)], _GLASS, 0.012)
    page.rectangle(car, 0.68, 0.52, 0.11, paint, 0.008)
    for wheel in (car + 0.12, car + 0.4):
        page.ellipse((wheel, 0.79), (0.055, 0.055), (40, 40, 40))
        page.ellipse((wheel, 0.79), (0.025, 0.025), (190, 190, 190))


def _park(page: Canvas, aspect: float, rng: np.random.Generator) -> None:
    page.rectangle(0, 0, aspect, 0.6, (245, 210, 140))
    page.ellipse((float(rng.uniform(0.3, aspect - 0.3)), 0.12), (0.09, 0.09), (120, 235, 255))
    for _ in range(3):
        x, y = float(rng.uniform(0, aspect)), float(rng.uniform(0.06, 0.25))
        for shift in (-0.09, 0.0, 0.09):
            page.ellipse((x + shift, y), (0.1, 0.055), (255, 250, 245))
    page.ellipse((aspect * 0.25, 0.75), (0.9, 0.28), (110, 190, 130))
    page.ellipse((aspect * 0.8, 0.78), (0.9, 0.26), (95, 175, 115))
    page.rectangle(0, 0.66, aspect, 0.34, (70, 165, 95))
    middle = aspect * float(rng.uniform(0.4, 0.6))
    page.polygon([(middle - 0.06, 0.66), (middle + 0.06, 0.66), (middle + 0.4, 1), (middle - 0.3, 1)], (150, 200, 220))
    for x in (0.14, 0.5, aspect - 0.46, aspect - 0.12):
        x += float(rng.uniform(-0.05, 0.05))
        page.rectangle(x - 0.03, 0.4, 0.06, 0.32, (50, 80, 115), 0.006)
        leaf = shade((55, 135, 60), float(rng.uniform(0.85, 1.15)))
        for dx, dy, r in ((-0.1, 0.36, 0.12), (0.1, 0.36, 0.12), (0.0, 0.26, 0.15)):
            page.ellipse((x + dx, dy), (r, r), leaf)
        page.ellipse((x - 0.04, 0.22), (0.05, 0.05), shade(leaf, 1.2))
    for _ in range(14):
        page.ellipse(
            (float(rng.uniform(0, aspect)), float(rng.uniform(0.75, 0.97))),
            (0.013, 0.013),
            ((80, 220, 250), (220, 160, 240), (250, 250, 250))[int(rng.integers(3))],
        )


def _cafe(page: Canvas, aspect: float, rng: np.random.Generator) -> None:
    _room(page, aspect, (60, 85, 125), (50, 70, 95), rng)
    page.rectangle(0.06, 0.14, 0.46, 0.36, (55, 60, 50), 0.02)
    for i in range(5):
        page.line(
            [(0.1, 0.2 + i * 0.06), (0.1 + float(rng.uniform(0.15, 0.35)), 0.2 + i * 0.06)], (225, 230, 230), 0.012
        )
    left = aspect - 0.62
    for y in (0.26, 0.44):
        page.rectangle(left, y, 0.58, 0.025, shade(_WOOD, 1.1), 0.004)
        for i in range(7):
            jar: Color = ((60, 150, 60), (60, 80, 190), (70, 180, 220), (200, 200, 205))[int(rng.integers(4))]
            page.rectangle(left + 0.03 + i * 0.08, y - 0.1, 0.045, 0.1, jar, 0.004)
    page.rectangle(0, 0.6, aspect, 0.05, shade(_WOOD, 1.25), 0.006)
    for i in range(math.ceil(aspect / 0.16)):
        page.rectangle(i * 0.16, 0.65, 0.16, 0.35, shade(_WOOD, 0.8 if i % 2 else 0.68))
    for x in (0.62, aspect * 0.5, aspect - 0.72):
        page.polygon(curve((x, 0.6), (0.045, 0.06), 180, 360), (120, 120, 120))
        page.rectangle(x - 0.04, 0.53, 0.08, 0.07, (240, 240, 245), 0.006)
    for i in range(4):
        x = aspect * (0.14 + 0.24 * i)
        page.line([(x, 0), (x, 0.08)], (30, 30, 30), 0.008)
        page.ellipse((x, 0.14), (0.09, 0.07), (100, 170, 215))
        page.polygon([(x - 0.02, 0.06), (x + 0.02, 0.06), (x + 0.08, 0.14), (x - 0.08, 0.14)], (40, 60, 200), 0.004)
        page.ellipse((x, 0.145), (0.03, 0.025), (190, 250, 255))


def _bedroom(page: Canvas, aspect: float, rng: np.random.Generator) -> None:
    _room(page, aspect, (200, 160, 185), (140, 130, 170), rng)
    for i in range(int(aspect / 0.16) + 1):
        page.line([(i * 0.16, 0), (i * 0.16, 0.755)], (215, 180, 200), 0.03)
    page.rectangle(0.08, 0.05, 0.44, 0.42, (90, 45, 30), 0.014)
    page.ellipse((0.38, 0.16), (0.07, 0.07), (190, 240, 250))
    page.ellipse((0.35, 0.14), (0.06, 0.06), (90, 45, 30))
    for _ in range(9):
        page.ellipse((float(rng.uniform(0.11, 0.49)), float(rng.uniform(0.08, 0.44))), (0.008, 0.008), (230, 250, 255))
    for x in (0.04, 0.48):
        page.polygon([(x, 0.03), (x + 0.09, 0.03), (x + 0.06, 0.5), (x - 0.01, 0.5)], (130, 90, 190), 0.004)
    bed = aspect * 0.36
    page.rectangle(bed, 0.34, aspect - bed - 0.25, 0.3, shade(_WOOD, 0.75), 0.012)
    for i in range(2):
        page.ellipse((bed + 0.2 + i * 0.36, 0.58), (0.17, 0.09), (245, 245, 245), 0.008)
    quilt: Color = ((190, 120, 90), (120, 110, 210), (130, 170, 90))[int(rng.integers(3))]
    page.rectangle(bed - 0.03, 0.63, aspect - bed - 0.18, 0.28, quilt, 0.01)
    for i in range(4):
        page.line([(bed + 0.1 + i * 0.2, 0.64), (bed + 0.1 + i * 0.2, 0.9)], shade(quilt, 1.2), 0.02)
    table = aspect - 0.21
    page.rectangle(table, 0.6, 0.19, 0.28, shade(_WOOD, 0.9), 0.008)
    page.line([(table + 0.095, 0.5), (table + 0.095, 0.6)], (70, 70, 70), 0.02)
    page.polygon(
        [(table + 0.05, 0.36), (table + 0.14, 0.36), (table + 0.19, 0.51), (table, 0.51)], (130, 225, 255), 0.006
    )
    page.rectangle(aspect * 0.62, 0.06, 0.2, 0.22, (180, 220, 120), 0.008)
    page.ellipse((aspect * 0.62 + 0.1, 0.16), (0.05, 0.05), (120, 100, 235))


def _hospital_room(page: Canvas, aspect: float, rng: np.random.Generator) -> None:
    _room(page, aspect, (240, 245, 240), (190, 200, 185), rng)
    page.rectangle(0, 0.48, aspect, 0.27, (195, 215, 165))
    page.rectangle(0, 0.465, aspect, 0.02, (150, 180, 120))
    curtain = blend((220, 200, 130), (255, 255, 255), float(rng.uniform(0, 0.3)))
    page.rectangle(0, 0.02, 0.34, 0.75, curtain)
    for i in range(6):
        page.line([(0.03 + i * 0.06, 0.03), (0.03 + i * 0.06, 0.77)], shade(curtain, 0.85), 0.015)
    page.line([(0, 0.025), (0.7, 0.025)], (150, 150, 150), 0.018)
    cross = aspect * 0.5 + float(rng.uniform(-0.25, -0.1))
    page.rectangle(cross - 0.09, 0.07, 0.18, 0.18, (255, 255, 255), 0.008)
    page.rectangle(cross - 0.022, 0.09, 0.044, 0.14, (50, 50, 225))
    page.rectangle(cross - 0.07, 0.138, 0.14, 0.044, (50, 50, 225))
    screen = aspect - 0.62
    page.rectangle(screen, 0.1, 0.34, 0.26, (70, 70, 70), 0.012)
    page.rectangle(screen + 0.02, 0.12, 0.3, 0.2, (30, 35, 25))
    beat = [(0.02, 0.22), (0.1, 0.22), (0.13, 0.15), (0.17, 0.3), (0.2, 0.22), (0.32, 0.22)]
    page.line([(screen + x, y) for x, y in beat], (90, 255, 90), 0.014)
    pole = aspect - 0.14
    page.line([(pole, 0.06), (pole, 0.92)], (140, 140, 140), 0.018)
    page.line([(pole - 0.08, 0.07), (pole + 0.08, 0.07)], (140, 140, 140), 0.015)
    page.polygon(
        [(pole + 0.02, 0.1), (pole + 0.12, 0.1), (pole + 0.12, 0.28), (pole + 0.07, 0.32), (pole + 0.02, 0.28)],
        (250, 225, 190),
        0.008,
    )
    page.line([(pole + 0.07, 0.32), (pole + 0.03, 0.6), (pole - 0.2, 0.66)], (170, 150, 120), 0.008)
    page.rectangle(aspect * 0.32, 0.62, aspect * 0.5, 0.16, (250, 250, 250), 0.01)
    page.rectangle(aspect * 0.32, 0.74, aspect * 0.5, 0.08, (215, 180, 120), 0.008)
    for x in (aspect * 0.32, aspect * 0.82):
        page.line([(x, 0.5), (x, 0.92)], (150, 150, 150), 0.024)


_PLACES = {
    "kitchen": _kitchen,
    "living room": _living_room,
    "office": _office,
    "street": _street,
    "park": _park,
    "cafe": _cafe,
    "bedroom": _bedroom,
    "hospital room": _hospital_room,
}
