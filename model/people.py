"""People in a picture, by the first of BlazePose's two networks (Bazarevsky et al. 2020, arXiv 2006.10204).

It finds upper bodies, also without a face (somebody's back), and gives the middle of the hips and a point of the circle
around it that holds the whole body. What its numbers mean is published with it, in MediaPipe's graph
`pose_detection_cpu.pbtxt`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.dialogue import FaceBox

SIDE = 224
LEAST_SCORE = 0.5
OVERLAP = 0.3
"""Of the places of two finds, as a share of both together: from here on they are one person."""

_GRIDS = ((28, 2), (14, 2), (7, 6))
"""Cells a side, and anchors in each."""

Network = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture lies in the network's square."""

    scale: float
    left: int
    top: int


def people(network: Network, picture: NDArray[np.uint8]) -> tuple[FaceBox, ...]:
    """Who is in an RGB picture (height, width, 3): boxes in its pixels that end where it ends, with scores, best first.

    A box is the square around the circle that would hold the whole body, so where head and shoulders are to be seen
    it reaches to the picture's edges.
    """
    square, fit = fitted(picture)
    rows, logits = network(square)
    found = decoded(rows, logits[:, 0])
    boxes = (_box(hips, rim, score, fit, picture) for score, hips, rim in found)
    return tuple(box for box in boxes if box[2] > 0 and box[3] > 0)


def fitted(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Fit]:
    """The picture in the middle of a black square of ``SIDE`` pixels, -1 to 1, its sides in proportion."""
    import cv2

    height, width = picture.shape[:2]
    scale = SIDE / max(height, width)
    across, down = max(1, round(width * scale)), max(1, round(height * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    left, top = (SIDE - across) // 2, (SIDE - down) // 2
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[top : top + down, left : left + across] = cv2.resize(picture, (across, down), interpolation=way)
    return square.astype(np.float32) / np.float32(127.5) - np.float32(1), Fit(scale, left, top)


def anchors() -> NDArray[np.float64]:
    """The middles that places are told from, (2254, 2), x and y as shares of the square."""
    each = []
    for cells, count in _GRIDS:
        down, across = np.mgrid[:cells, :cells]
        middles = (np.stack([across, down], axis=-1).reshape(-1, 2) + 0.5) / cells
        each.append(np.repeat(middles, count, axis=0))
    return np.concatenate(each)


def decoded(
    rows: NDArray[np.float32], logits: NDArray[np.float32]
) -> list[tuple[float, NDArray[np.float64], NDArray[np.float64]]]:
    """Score, middle of the hips, and a point of the body's circle, in pixels of the square, the best first.

    ``rows`` (2254, 12) hold six pairs of pixels each: middle of the find's place, its size, then four points. All but
    the size are told from the anchor.
    """
    import cv2

    scores = 1 / (1 + np.exp(-np.clip(logits.astype(np.float64), -50, 50)))
    pairs = rows.astype(np.float64).reshape(-1, 6, 2)
    sure = np.flatnonzero((scores >= LEAST_SCORE) & np.isfinite(pairs).all(axis=(1, 2)))
    origins = anchors()[sure] * SIDE
    pairs, scores = pairs[sure], scores[sure]
    places = np.concatenate([origins + pairs[:, 0] - pairs[:, 1] / 2, pairs[:, 1]], axis=1)
    kept = cv2.dnn.NMSBoxes(places.tolist(), scores.tolist(), LEAST_SCORE, OVERLAP) if len(sure) else []
    return [(float(scores[at]), origins[at] + pairs[at, 2], origins[at] + pairs[at, 3]) for at in kept]


def _box(
    hips: NDArray[np.float64], rim: NDArray[np.float64], score: float, fit: Fit, picture: NDArray[np.uint8]
) -> FaceBox:
    radius = float(np.hypot(*(rim - hips)))
    offset = np.array([fit.left, fit.top])
    low, high = (hips - radius - offset) / fit.scale, (hips + radius - offset) / fit.scale
    height, width = picture.shape[:2]
    left, right = (round(float(np.clip(x, 0, width)), 1) for x in (low[0], high[0]))
    top, bottom = (round(float(np.clip(y, 0, height)), 1) for y in (low[1], high[1]))
    return left, top, round(right - left, 1), round(bottom - top, 1), round(score, 3)
