"""Renders the demo corpus: one video file per utterance, and a transcript.

Same seed, same bytes. An interrupted rendering goes on where it stopped; another seed, size, script or another
version of the drawing code renders everything anew.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import multiprocessing
import os
import threading
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from model.errors import CorpusError
from tasks.demo.clip import Clip, render_clip
from tasks.demo.script import SCRIPT, Dialogue, load_script

SOURCES = ("canvas", "clip", "render", "script", "voice", "world")
MANIFEST, TRANSCRIPT = "render.json", "transcript.csv"
COLUMNS = ("split", "dialogue_id", "utterance_id", "turn", "speaker", "text", "emotion", "sentiment", "video")


def render_corpus(
    folder: Path,
    *,
    seed: int = 7,
    dialogues: Collection[str] | None = None,
    width: int = 640,
    height: int = 360,
    fps: float = 20,
    progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> None:
    """Makes ``{split}/dia{D}_utt{U}.mp4``, then transcript.csv, in ``folder``.

    ``dialogues`` names some as "train/0"; None means all. ``progress(done, total)`` is called in this process
    after each clip. ``workers`` processes (default: one per core; 1 renders in this process). A second call for
    the same folder waits for the first. Raises CorpusError for an unknown dialogue, and where ffmpeg fails.
    """
    from filelock import FileLock

    chosen = _choose(load_script(), dialogues)
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        _start(folder, {"seed": seed, "width": width, "height": height, "fps": fps, "source": source_digest()})
        clips = [
            Clip(folder / video_name(dialogue, turn), line, seed, _room(seed, dialogue), width, height, fps)
            for dialogue in chosen
            for turn, line in enumerate(dialogue.lines)
        ]
        pending = [clip for clip in clips if not clip.path.exists()]
        for count, _ in enumerate(_render_all(pending, workers or os.cpu_count() or 1), 1):
            if progress:
                progress(len(clips) - len(pending) + count, len(clips))
        _write(folder / TRANSCRIPT, _transcript(chosen))


def video_name(dialogue: Dialogue, turn: int) -> str:
    """The path of a clip inside the corpus, named as MELD names its files."""
    return f"{dialogue.split}/dia{dialogue.dialogue_id}_utt{turn}.mp4"


def _render_all(clips: list[Clip], workers: int) -> Iterator[None]:
    """Yields once per finished clip, in the order of finishing."""
    if workers == 1 or len(clips) < 2:
        yield from map(render_clip, clips)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(clips)), mp_context=spawn, initializer=_start_worker) as pool:
        jobs = [pool.submit(render_clip, clip) for clip in clips]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    import cv2

    cv2.setNumThreads(1)  # the processes share the cores already
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A killed parent says nothing to its pool; without this its workers would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _choose(script: tuple[Dialogue, ...], names: Collection[str] | None) -> list[Dialogue]:
    known = {f"{dialogue.split}/{dialogue.dialogue_id}": dialogue for dialogue in script}
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise CorpusError(f"no dialogue {', '.join(unknown)} in the script; there are: {', '.join(known)}")
    return [dialogue for name, dialogue in known.items() if names is None or name in names]


def _start(folder: Path, settings: dict[str, object]) -> None:
    """Keeps the clips of the same settings and removes others, before the manifest vouches for what is there."""
    for unfinished in folder.glob("*/.dia*"):
        unfinished.unlink(missing_ok=True)
    manifest = folder / MANIFEST
    text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
    if manifest.exists() and manifest.read_bytes() == text.encode():
        return
    for old in (manifest, folder / TRANSCRIPT, *folder.glob("*/dia*_utt*.mp4")):
        old.unlink(missing_ok=True)
    _write(manifest, text)


def source_digest() -> str:
    """A digest of everything that decides what a clip looks and sounds like."""
    digest = hashlib.sha256()
    drawing = sorted(SCRIPT.parent.glob("draw*.py"))
    for path in (SCRIPT, *drawing, *(SCRIPT.with_name(f"{name}.py") for name in SOURCES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _room(seed: int, dialogue: Dialogue) -> int:
    key = f"{seed}/{dialogue.split}/{dialogue.dialogue_id}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big")


def _transcript(dialogues: list[Dialogue]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    for dialogue in dialogues:
        for turn, line in enumerate(dialogue.lines):
            ids = (dialogue.split, dialogue.dialogue_id, turn, turn)
            said = (line.speaker, line.text, line.emotion, line.sentiment)
            table.writerow((*ids, *said, video_name(dialogue, turn)))
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.tmp")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
