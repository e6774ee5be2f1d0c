"""Interlaced frames: two fields, taken at two times, woven into one picture.

Where something moves between the two, the picture has a comb at every edge, and scaling keeps it (each field is scaled
for itself). There one field is shown, everywhere else the whole: so what stands still keeps all its rows, and so do the
many files that call themselves interlaced and hold whole pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

BLOCK = 16
COMB_RATIO, COMB_FLOOR = 1.5, 2.0
"""In a comb neighbouring rows differ by more than this times what every second row does, and this much of 255.
In ten real films whole pictures had no such block; with the next frame's rows woven in, most pictures had some."""


def without_combs(frame: Any, scale: Callable[[Any], Pixels]) -> Pixels:
    """An interlaced frame as ``scale`` renders one: whole, and the upper field alone where it is a comb."""
    import cv2

    whole = scale(_filtered(frame, "setfield", "mode=prog"))
    comb = combs(frame.reformat(format="gray8", threads=1).to_ndarray())
    if not comb.any():
        return whole
    field = scale(_filtered(frame, "field", "type=top"))
    wide = cv2.dilate(comb.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    down, across = (
        np.arange(n) * of // n // BLOCK for n, of in zip(whole.shape, (frame.height, frame.width), strict=False)
    )
    return np.where(wide[down[:, None], across][:, :, None], field, whole)


def combs(luma: Pixels) -> NDArray[np.bool_]:
    """Which blocks of 16 × 16 pixels of a picture, shape (height, width), are combs; the last ones may be smaller."""
    import cv2

    height, width = luma.shape
    down, across = -(-height // BLOCK), -(-width // BLOCK)
    right, below = across * BLOCK - width, down * BLOCK - height + 2
    rows = cv2.copyMakeBorder(luma, 0, below, 0, right, cv2.BORDER_REPLICATE)
    next_row, second_row = (
        cv2.resize(
            cv2.absdiff(rows[:-2], rows[step : len(rows) - 2 + step]).astype(np.float32),
            (across, down),
            interpolation=cv2.INTER_AREA,
        )
        for step in (1, 2)
    )
    return np.asarray(next_row > COMB_RATIO * second_row + COMB_FLOOR)


def _filtered(frame: Any, name: str, arguments: str) -> Any:
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    facts = {
        "video_size": f"{frame.width}x{frame.height}",
        "pix_fmt": frame.format.name,
        "time_base": "1/1000",
        "colorspace": int(frame.colorspace),
        "range": int(frame.color_range),
    }
    source = graph.add("buffer", ":".join(f"{key}={value}" for key, value in facts.items()))
    graph.link_nodes(source, graph.add(name, arguments), graph.add("buffersink")).configure()
    graph.push(frame)
    return graph.pull()
