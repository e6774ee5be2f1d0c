"""Things in a picture, by SSD (Liu et al. 2016, arXiv 1512.02325) on MobileNetV2 (Sandler et al. 2018, 1801.04381).

The network is `ssd_mobilenet_v2_coco_2018_03_29` of TensorFlow's zoo, which was trained on COCO's 80 kinds. OpenCV runs
it. It saw pictures stretched to its square (`fixed_shape_resizer` of its configuration), and so it does here: in
proportion within a black rim it takes the picture itself for a screen, and within a grey one it misses what is small.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import WeightsError

SIDE = 300
LEAST_SCORE = 0.6
"""By eye on 75 pictures 2 of the 8 finds from 0.5 to here were there, and 10 of the 11 above (docs/captions.md)."""

OVERLAP = 0.45
"""Of two finds of one kind, as a share of both together: from here on they are one thing."""

ONE_PLACE = 0.8
"""The same of two kinds: a cup is not told as a bowl too."""

_COCO = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant, , stop sign,
parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe, , backpack, umbrella, , ,
handbag, tie, suitcase, frisbee, pair of skis, snowboard, ball, kite, baseball bat, baseball glove, skateboard,
surfboard, tennis racket, bottle, , wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange,
broccoli, carrot, hot dog, pizza, donut, cake, chair, couch, potted plant, bed, , dining table, , , toilet, , tv,
laptop, mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, , book, clock, vase,
pair of scissors, teddy bear, hair drier, toothbrush
"""
NAMES = {at: name.strip() for at, name in enumerate(_COCO.split(","), 1) if name.strip() and at > 1}
"""The kinds by COCO's numbers, in words that can be counted. People are left out: model/people.py looks for them."""

_PLURALS = {"sheep": "sheep", "mouse": "mice", "knife": "knives", "broccoli": "pieces of broccoli"}

Network = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
NamedBox = tuple[str, float, float, float, float, float]
"""A name of ``NAMES``, then left, top, width, height and score as in a FaceBox."""


class ObjectNetwork:
    """The network of a frozen graph and of OpenCV's text about it. One picture at a time: it hangs on no other."""

    def __init__(self, graph: Path, layers: Path) -> None:
        """WeightsError for files that cannot be loaded."""
        import cv2

        self._lock = Lock()
        try:
            given = [np.frombuffer(path.read_bytes(), np.uint8) for path in (graph, layers)]
            self._net: Any = cv2.dnn.readNetFromTensorflow(given[0], given[1])
        except (OSError, cv2.error) as error:
            told = getattr(error, "err", None) or error
            raise WeightsError(f"{graph} cannot be loaded ({told}); delete it and run again") from error

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 7) for an RGB picture of (300, 300, 3): 0, COCO's number, score, left, top, right, bottom (shares)."""
        import cv2

        with self._lock:  # shards may be worked on by threads
            self._net.setInput(cv2.dnn.blobFromImage(picture))
            found: NDArray[np.float32] = self._net.forward()
        return found.reshape(-1, 7)


def objects(network: Network, picture: NDArray[np.uint8]) -> tuple[NamedBox, ...]:
    """What is in an RGB picture (height, width, 3), the surest first: boxes in its pixels that end where it ends."""
    import cv2

    way = cv2.INTER_AREA if min(picture.shape[:2]) > SIDE else cv2.INTER_LINEAR
    square = cv2.resize(picture, (SIDE, SIDE), interpolation=way)
    rows = network(square).astype(np.float64)
    known = np.isin(rows[:, 1], list(NAMES)) & np.isfinite(rows).all(axis=1) & (rows[:, 2] >= LEAST_SCORE)
    rows = rows[known]
    height, width = picture.shape[:2]
    edges = np.clip(rows[:, 3:], 0, 1) * (width, height, width, height)
    boxes = np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], axis=1)
    seen = (boxes[:, 2:] > 0).all(axis=1)
    kinds, scores, boxes = rows[seen, 1].astype(int), rows[seen, 2], boxes[seen]
    if not len(boxes):
        return ()
    each = np.array(cv2.dnn.NMSBoxesBatched(boxes.tolist(), scores.tolist(), kinds.tolist(), LEAST_SCORE, OVERLAP))
    kept = cv2.dnn.NMSBoxes(boxes[each].tolist(), scores[each].tolist(), LEAST_SCORE, ONE_PLACE)
    return tuple(_named(NAMES[int(kinds[at])], boxes[at], scores[at]) for at in each[list(kept)])


def plural(name: str) -> str:
    """Of a name of ``NAMES``: "cups", "buses", "pairs of skis"."""
    first, of, rest = name.partition(" of ")
    if name in _PLURALS:
        return _PLURALS[name]
    return first + ("es" if first.endswith(("s", "sh", "ch")) else "s") + of + rest


def _named(name: str, box: NDArray[np.float64], score: float) -> NamedBox:
    left, top, width, height = (round(float(value), 1) for value in box)
    return name, left, top, width, height, round(float(score), 3)
