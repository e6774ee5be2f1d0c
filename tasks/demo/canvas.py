"""A small drawing surface over OpenCV: antialiased shapes in a movable, turnable coordinate system."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Color = tuple[int, int, int]  # blue, green, red
Points = Sequence[tuple[float, float]] | np.ndarray[Any, Any]
_SHIFT = 4  # OpenCV takes fixed-point coordinates: four fractional bits


class Canvas:
    """Shapes in units of ``unit`` pixels around ``origin``, y downwards, turned by ``angle`` degrees."""

    def __init__(
        self,
        image: np.ndarray[Any, Any],
        unit: float,
        origin: tuple[float, float] = (0.0, 0.0),
        angle: float = 0.0,
    ) -> None:
        import cv2

        self.cv2 = cv2
        self.image, self.unit, self.origin, self.angle = image, unit, origin, angle
        self.cos, self.sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        self.turn = np.array([[self.cos, self.sin], [-self.sin, self.cos]])

    def moved(self, x: float, y: float, scale: float = 1.0, angle: float = 0.0) -> Canvas:
        """The same picture with its origin at (x, y) of this canvas, ``scale`` times the unit, turned."""
        return Canvas(self.image, self.unit * scale, self._place(x, y), self.angle + angle)

    def polygon(self, points: Points, color: Color, outline: float = 0.0, ink: Color = (40, 34, 38)) -> None:
        fixed = [self._fixed(points)]
        self.cv2.fillPoly(self.image, fixed, color, self.cv2.LINE_AA, _SHIFT)
        if outline:
            width = self._thick(outline)
            self.cv2.polylines(self.image, fixed, True, ink, width, self.cv2.LINE_AA, _SHIFT)

    def line(self, points: Points, color: Color, width: float) -> None:
        self.cv2.polylines(
            self.image, [self._fixed(points)], False, color, self._thick(width), self.cv2.LINE_AA, _SHIFT
        )

    def ellipse(
        self,
        center: tuple[float, float],
        radii: tuple[float, float],
        color: Color,
        outline: float = 0.0,
        ink: Color = (40, 34, 38),
        turn: float = 0.0,
    ) -> None:
        turned = self.moved(*center, angle=turn) if turn else self
        around = (0.0, 0.0) if turn else center
        turned.polygon(_CIRCLE * np.array(radii) + np.array(around), color, outline, ink)

    def rectangle(self, x: float, y: float, width: float, height: float, color: Color, outline: float = 0.0) -> None:
        """Axis-parallel; ``(x, y)`` is the upper left corner."""
        self.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], color, outline)

    def _place(self, x: float, y: float) -> tuple[float, float]:
        return (
            self.origin[0] + (x * self.cos - y * self.sin) * self.unit,
            self.origin[1] + (x * self.sin + y * self.cos) * self.unit,
        )

    def _fixed(self, points: Points) -> np.ndarray[Any, Any]:
        placed = np.asarray(points, dtype=np.float64) @ self.turn * self.unit + self.origin
        return np.asarray(np.rint(placed * 16).astype(np.int32))

    def _thick(self, width: float) -> int:
        return max(1, round(width * self.unit))


@lru_cache(maxsize=512)
def curve(
    center: tuple[float, float], radii: tuple[float, float], first: float, last: float, steps: int = 12
) -> tuple[tuple[float, float], ...]:
    """Points of an ellipse from ``first`` to ``last`` degrees, clockwise from the right."""
    angles = [math.radians(first + (last - first) * step / steps) for step in range(steps + 1)]
    return tuple((center[0] + radii[0] * math.cos(a), center[1] + radii[1] * math.sin(a)) for a in angles)


_CIRCLE = np.array(curve((0.0, 0.0), (1.0, 1.0), 0, 360, 24))[:-1]


def shade(color: Color, factor: float) -> Color:
    """``color`` darkened (below 1) or lightened (above 1) without leaving 0..255."""
    blue, green, red = (min(255, max(0, round(channel * factor))) for channel in color)
    return blue, green, red


def blend(color: Color, other: Color, part: float) -> Color:
    """``color`` with ``part`` (0..1) of ``other`` mixed in."""
    blue, green, red = (round(a * (1 - part) + b * part) for a, b in zip(color, other, strict=True))
    return blue, green, red
