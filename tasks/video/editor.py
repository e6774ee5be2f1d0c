"""From a finished window to its stored keyframes: choose, look for faces, render, encode."""

from __future__ import annotations

from model.dialogue import FaceBox
from tasks.video.faces import face_finder, prominence
from tasks.video.measure import difference
from tasks.video.open import Video
from tasks.video.options import Options
from tasks.video.outcome import Chosen
from tasks.video.picture import Image, Renderer, encode
from tasks.video.select import Picked, choose, choose_uniform
from tasks.video.window import Candidate, Window


class Editor:
    """Edits the windows of one video. ``mode`` ("fast" or "full") is how it was decoded."""

    def __init__(self, video: Video, options: Options, mode: str) -> None:
        self._options = options
        self._mode = mode
        self._renderer = Renderer(options.long_side, video.aspect)
        self._finder = face_finder(options.face_model) if options.face_model else None
        self._seen: dict[int, tuple[Image, tuple[FaceBox, ...]]] = {}

    def edit(self, window: Window) -> list[Chosen]:
        """The window's keyframes in order of time; [] where it holds no frame."""
        self._seen.clear()
        if self._options.method == "uniform":
            picked = choose_uniform(window, self._options.max_frames)
        else:
            picked = choose(window, self._options.max_frames, self._prominence if self._finder else None)
        before = [None, *picked]
        return [self._chosen(one, last, window.start_s) for last, one in zip(before, picked, strict=False)]

    def _prominence(self, candidate: Candidate) -> float:
        return prominence(*self._look_at(candidate))

    def _look_at(self, candidate: Candidate) -> tuple[Image, tuple[FaceBox, ...]]:
        """The rendered frame and its faces, made once per candidate."""
        if candidate.index not in self._seen:
            image = self._renderer.render(candidate.frame)
            self._seen[candidate.index] = image, self._finder.find(image) if self._finder else ()
        return self._seen[candidate.index]

    def _chosen(self, picked: Picked, last: Picked | None, start_s: float) -> Chosen:
        image, faces = self._look_at(picked.candidate)
        look, thumb = picked.candidate.look, picked.candidate.thumb
        return Chosen(
            time_s=max(0.0, look.time_s - start_s),
            jpeg=encode(image, self._options.jpeg_quality),
            width=image.shape[1],
            height=image.shape[0],
            sharpness=max(0.0, look.sharpness),
            novelty=0.0 if last is None else difference(thumb, last.candidate.thumb),
            score=picked.score,
            suspect=look.suspect,
            faces=len(faces) if self._finder else None,
            face_boxes=faces if self._finder else None,
            method=self._options.describe(self._mode),
        )
