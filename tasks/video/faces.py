"""Finds faces and says how prominent they are, with a YuNet model run by OpenCV."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from model.dialogue import FaceBox
from model.errors import WeightsError
from tasks.video.picture import Image

LONG_SIDE = 320
LEAST_SCORE = 0.6


class FaceFinder:
    """Wraps cv2.FaceDetectorYN. Raises WeightsError for a file that it cannot load."""

    def __init__(self, model: str) -> None:
        import cv2

        try:
            self._detector = cv2.FaceDetectorYN.create(model, "", (LONG_SIDE, LONG_SIDE), LEAST_SCORE)
        except cv2.error as error:
            raise WeightsError(
                f"{model} is no face detector that OpenCV {cv2.__version__} can load ({error.err}); "
                "set keyframes.face_model to a YuNet .onnx with dynamic input, or leave it out"
            ) from error

    def find(self, image: Image) -> tuple[FaceBox, ...]:
        """The faces as boxes inside the picture, in its pixels (to a tenth), the largest first."""
        import cv2

        scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
        way = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR  # a sixth of the time, and as good for this
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=way) if scale < 1 else image
        height, width = small.shape[:2]
        self._detector.setInputSize((width, height))
        found: Any = self._detector.detect(small)[1]
        rows = [] if found is None else found.astype(float).tolist()
        boxes = (_inside(row, image.shape[1] / width, image.shape[0] / height, image) for row in rows)
        return tuple(sorted((box for box in boxes if box[2] and box[3]), key=lambda box: -box[2] * box[3]))


def _inside(row: list[float], across: float, down: float, image: Image) -> FaceBox:
    """A row of the detector as a box that ends where the picture ends."""
    height, width = image.shape[:2]
    left, right = (round(min(max(x * across, 0.0), width), 1) for x in (row[0], row[0] + row[2]))
    top, bottom = (round(min(max(y * down, 0.0), height), 1) for y in (row[1], row[1] + row[3]))
    return left, top, round(right - left, 1), round(bottom - top, 1), round(min(max(row[14], 0.0), 1.0), 3)


@functools.cache
def face_finder(model: str) -> FaceFinder:
    """One detector per process: loading it costs as much as a dozen pictures."""
    return FaceFinder(model)


def prominence(image: Image, faces: Sequence[FaceBox]) -> float:
    """0 without a face, near 1 for a sure face that fills a quarter of the picture."""
    pixels = image.shape[0] * image.shape[1]
    return max(
        (min(1.0, 2 * (width * height / pixels) ** 0.5) * score for *_, width, height, score in faces), default=0.0
    )
