"""In what time captions are made by a model that made none here yet, as far as it can be reckoned.

The model's arithmetic and this machine's speed tell the seconds of a token and of a picture (model/caption_time.py).
How much a model writes is the least known of all: it may be a quarter of what it is let, or all of it.
"""

from __future__ import annotations

from functools import cache

from model import caption_time
from model.caption_time import Speed, Work
from tasks.captions import CUES, CaptionsSettings, processes_of

Range = tuple[float, float, float]
"""The least, the likely and the most."""

WRITTEN: Range = (0.25, 0.5, 1.0)
"""Of the most tokens that a caption may have, how many it has."""

UNSURE, UNSURE_GPU = 1.5, 3.0
"""The factor within which the seconds of so many tokens are taken to be right; on a GPU none were ever checked."""


def reckoned(settings: CaptionsSettings, captions: int, pictures: int) -> tuple[Range | None, bool]:
    """Seconds of so many captions of so many pictures, and whether they are a GPU's.

    None for a server, for a model whose arithmetic is not known, and where the GPU has no room to measure its speed.
    It takes some seconds where torch has to be imported.
    """
    looking = pictures * sum(settings.detectors().seconds().values())
    if settings.model == CUES:
        return (looking / UNSURE, looking, looking * UNSURE), False
    model = caption_time.find(settings.model)
    if settings.server or model is None:
        return None, False
    try:
        speed = _speed()
    except RuntimeError:  # a plan must not fail for it
        return None, False
    processes = max(1, processes_of(settings, model.parameters))
    works = (Work(pictures / captions, share * settings.limit(), settings.batch_size, processes) for share in WRITTEN)
    low, likely, high = (captions * caption_time.seconds(model, work, speed) + looking for work in works)
    factor = UNSURE_GPU if speed.gpu else UNSURE
    return (low / factor, likely, high * factor), speed.gpu


@cache
def _speed() -> Speed:
    return caption_time.measured()
