"""Counts faces and says how prominent they are, with a YuNet model run by OpenCV."""

from __future__ import annotations

import functools
from typing import Any

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

    def find(self, image: Image) -> list[tuple[float, float]]:
        """For each face (its share of the picture's area, the detector's score), both 0 to 1."""
        import cv2

        scale = LONG_SIDE / max(image.shape[:2])
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
        height, width = small.shape[:2]
        self._detector.setInputSize((width, height))
        found: Any = self._detector.detect(small)[1]
        if found is None:
            return []
        return [(float(row[2] * row[3]) / (width * height), float(row[14])) for row in found]


@functools.cache
def face_finder(model: str) -> FaceFinder:
    """One detector per process: loading it costs as much as a dozen pictures."""
    return FaceFinder(model)


def prominence(faces: list[tuple[float, float]]) -> float:
    """0 without a face, near 1 for a sure face that fills a quarter of the picture."""
    return max((min(1.0, 2 * max(area, 0.0) ** 0.5) * score for area, score in faces), default=0.0)
