"""A test of the form of SECEU, made up: stories, options, standard scores and norms that nobody ever measured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FEELINGS = (
    ("Glad", "Angry", "Very angry", "Ashamed"),
    ("Proud", "Bored", "Afraid", "Glad"),
    ("Calm", "Hopeful", "Sad", "Tired"),
    ("Lonely", "Eager", "Sad", "Calm"),
    ("Angry", "Sad", "Guilty", "Moved"),
)
SCORES = (
    (5.0, 3.0, 1.5, 0.5),
    (1.0, 2.0, 3.0, 4.0),
    (2.5, 2.5, 2.5, 2.5),
    (7.0, 1.0, 1.0, 1.0),
    (4.01, 3.0, 2.0, 1.0),
)
HUMAN = (2.0, 3.0, 2.5, 4.0, 1.5)


def content() -> dict[str, Any]:
    items = [
        {"id": at, "story": f"Story {at}. She would feel:", "options": [*options], "standard_scores": [*scores]}
        for at, (options, scores) in enumerate(zip(FEELINGS, SCORES, strict=True), 1)
    ]
    for item, human in zip(items, HUMAN, strict=True):
        item["human_pattern"] = human
    return {"name": "made up", "population_mean_distance": 3.0, "population_sd_distance": 0.5, "items": items}


def write(path: Path, found: Any = None) -> Path:
    path.write_text(json.dumps(content() if found is None else found))
    return path
