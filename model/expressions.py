"""What a small classifier reads in a face: mini-XCEPTION (Arriaga et al. 2017, arXiv 1710.07557), of 58,000 numbers.

It has seen FER2013 alone: small grey pictures of faces that a search engine found for words of feeling. So its scores
say which of seven posed expressions a face is most like, and nothing of what somebody feels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from model.dialogue import FaceBox

NAMES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""In the order of the network's scores."""

CLEAR = 0.5
"""The least score from which on a reading is told by its name."""

SIDE = 64
MARGINS = (0.05, 0.1, 0.15)
"""What of its longer side a face's box is made wider at each edge: FER2013's faces have a rim, the detector's have not.
The scores are the mean over all of these, and their mirror images: alone each hangs much on where the box ends."""

Network = Callable[[NDArray[np.float32]], list[NDArray[np.float32]]]
Scores = tuple[float, float, float, float, float, float, float]


def expressions(network: Network, picture: NDArray[np.uint8], faces: Sequence[FaceBox]) -> tuple[Scores, ...]:
    """For each face of an RGB picture (height, width, 3) its scores (0 to 1, together 1), named by ``NAMES``."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return tuple(_scores(network, [cropped(grey, face, margin) for margin in MARGINS]) for face in faces)


def cropped(grey: NDArray[np.uint8], face: FaceBox, margin: float) -> NDArray[np.float32]:
    """The face in its square, (64, 64, 1), -1 to 1; beyond the picture's edges its last pixels go on."""
    import cv2

    x, y, width, height, _ = face
    side = min(max(width, height) * (1 + 2 * margin), 2 * max(grey.shape))
    size = max(1, round(side))
    square = cv2.getRectSubPix(grey, (size, size), (x + width / 2, y + height / 2))
    way = cv2.INTER_AREA if size > SIDE else cv2.INTER_LINEAR
    small: NDArray[np.uint8] = cv2.resize(square, (SIDE, SIDE), interpolation=way)
    return small[..., None].astype(np.float32) / np.float32(127.5) - np.float32(1)


def _scores(network: Network, faces: Sequence[NDArray[np.float32]]) -> Scores:
    """The mean over the faces and their mirror images."""
    found = [network(np.ascontiguousarray(view))[0] for face in faces for view in (face, face[:, ::-1])]
    mean = np.mean(np.array(found, np.float64), axis=0)
    angry, disgust, fear, happy, sad, surprise, neutral = (round(float(score), 3) for score in mean)
    return angry, disgust, fear, happy, sad, surprise, neutral
