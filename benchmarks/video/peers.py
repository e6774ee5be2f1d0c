"""Other ways from a clip to a few pictures of it, each as it is commonly done; one thread, JPEGs of 512 pixels."""

from __future__ import annotations

import importlib.util
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

COUNT = 4
SIDE = 512

Way = Callable[[Path], object]


def ways() -> dict[str, Way | None]:
    """By name; None where the package is not installed."""
    scenes = importlib.util.find_spec("scenedetect") is not None
    katna = all(importlib.util.find_spec(name) is not None for name in ("Katna", "skimage", "imutils", "ffmpy"))
    return {
        "uniform_pyav": uniform_pyav,
        "thumbnail": thumbnail,
        "opencv": opencv_sequential,
        "pyscenedetect_content": pyscenedetect_content if scenes else None,
        "pyscenedetect_adaptive": pyscenedetect_adaptive if scenes else None,
        "katna": katna_frames if katna else None,
    }


def decode(path: Path) -> int:
    """The floor: every frame decoded by PyAV in one thread, nothing looked at."""
    import av

    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        return sum(1 for _ in container.decode(video=0))


def uniform_pyav(path: Path) -> None:
    """The middles of four equal parts."""
    import av
    from av.video.reformatter import VideoReformatter

    scaler = VideoReformatter()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        wanted = {int((part + 0.5) * stream.frames / COUNT) for part in range(COUNT)}
        for at, frame in enumerate(container.decode(stream)):
            if at in wanted:
                height = round(frame.height * SIDE / frame.width)
                small = scaler.reformat(frame, SIDE, height, "bgr24", interpolation="AREA", threads=1)
                cv2.imencode(".jpg", small.to_ndarray())


def thumbnail(path: Path) -> None:
    """ffmpeg's filter: the frame nearest to the mean histogram of each quarter."""
    import av
    import ffmpeg
    import imageio_ffmpeg

    with av.open(str(path)) as container:
        batch = max(container.streams.video[0].frames // COUNT, 2)
    with tempfile.TemporaryDirectory() as folder:
        picture = ffmpeg.input(f"file:{path}", threads=1).filter("thumbnail", n=batch).filter("scale", SIDE, -2)
        options = {"fps_mode": "vfr", "qscale:v": 3, "threads": 1, "filter_threads": 1, "loglevel": "error"}
        output = ffmpeg.output(picture, f"{folder}/%d.jpg", **options)
        subprocess.run(
            ffmpeg.compile(output, cmd=imageio_ffmpeg.get_ffmpeg_exe()), check=True, stdin=subprocess.DEVNULL
        )


def opencv_sequential(path: Path) -> None:
    """Every frame read, scaled, compared and measured; the sharpest of each quarter is kept."""
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    count, before, best = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 1), None, {}
    at, changes = 0, []
    while True:
        there, image = video.read()
        if not there:
            break
        small = cv2.resize(image, (SIDE, round(image.shape[0] * SIDE / image.shape[1])), interpolation=cv2.INTER_AREA)
        gray = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        changes.append(0.0 if before is None else float(np.mean(cv2.absdiff(gray, before))))
        sharpness, part = float(cv2.Laplacian(gray, cv2.CV_64F).var()), at * COUNT // count
        if part not in best or sharpness > best[part][0]:
            best[part] = (sharpness, small)
        before, at = gray, at + 1
    for _, small in best.values():
        cv2.imencode(".jpg", small)


def pyscenedetect_content(path: Path) -> None:
    from scenedetect import ContentDetector

    _pyscenedetect(path, ContentDetector())


def pyscenedetect_adaptive(path: Path) -> None:
    from scenedetect import AdaptiveDetector

    _pyscenedetect(path, AdaptiveDetector())


def _pyscenedetect(path: Path, detector: object) -> None:
    """Its scenes, and one picture of each by its own save_images."""
    from scenedetect import SceneManager, open_video, save_images

    video, manager = open_video(str(path)), SceneManager()
    manager.add_detector(detector)
    manager.detect_scenes(video)
    with tempfile.TemporaryDirectory() as folder:
        scenes = manager.get_scene_list(start_in_scene=True)
        save_images(scenes, video, num_images=1, output_dir=folder, width=SIDE, encoder_param=90, threading=False)


def katna_frames(path: Path) -> None:
    from Katna.video import Video
    from Katna.writer import KeyFrameDiskWriter

    with tempfile.TemporaryDirectory() as folder:
        Video().extract_video_keyframes(COUNT, str(path), KeyFrameDiskWriter(location=folder))
