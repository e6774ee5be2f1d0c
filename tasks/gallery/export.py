"""The gallery as a folder of files that needs no server: the same pages, numbered, without the search."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from model.errors import SettingsError
from tasks.gallery.filter import Filter
from tasks.gallery.links import Filed
from tasks.gallery.pages import Pages
from tasks.gallery.pictures import Pictures, Size
from tasks.gallery.snapshot import Snapshot
from tasks.stage import Progress, no_progress

SIZES: tuple[Size, ...] = ("small", "large")


def export(snapshot: Snapshot, folder: Path, progress: Progress = no_progress) -> int:
    """Writes all pages into a new ``folder``, whole or not at all; returns how many pages.

    Raises SettingsError where the folder is there already or cannot be.
    """
    target = folder.expanduser().absolute()
    if target.exists() or not target.parent.is_dir():
        why = "is there already" if target.exists() else "has no folder to be in"
        raise SettingsError(f"--export {folder} {why}: name a new folder in one that exists")
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        temporary.chmod(0o755)
        count = _write(snapshot, temporary, progress)
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return count


def _write(snapshot: Snapshot, folder: Path, progress: Progress) -> int:
    links, pictures = Filed(), Pictures(snapshot)
    pages = Pages(snapshot, links)
    (folder / "pictures").mkdir()
    listed = snapshot.dialogues(Filter(), every=True).dialogues
    count = _listings(snapshot, pages, links, folder)
    for done, item in enumerate(listed):
        progress(done, len(listed), "dialogues")
        name = item["dialogue"]
        (folder / links.dialogue(name)).write_text(pages.dialogue(name) or "")
        for row in snapshot.lines(name):
            _pictures(pictures, links, folder, row)
            (folder / links.utterance(row["utterance_id"])).write_text(pages.utterance(row["utterance_id"]) or "")
            count += 1
        count += 1
    progress(len(listed), len(listed), "dialogues")
    return count


def _listings(snapshot: Snapshot, pages: Pages, links: Filed, folder: Path) -> int:
    count = 0
    for more in ({}, {"answer": "wrong"}) if snapshot.choices["system"] else ({},):
        wanted = Filter.model_validate(more)
        for page in range(1, snapshot.dialogues(wanted).pages + 1):
            text = pages.listing(wanted.model_copy(update={"page": page}))
            (folder / links.listing({**more, "page": page})).write_text(text)
            count += 1
    return count


def _pictures(pictures: Pictures, links: Filed, folder: Path, row: dict[str, object]) -> None:
    name = str(row["utterance_id"])
    frames = row["keyframes"]
    for frame in frames if isinstance(frames, list) else []:
        for size in SIZES:
            if picture := pictures.get(name, frame["rank"], size):
                (folder / links.picture(name, frame["rank"], size)).write_bytes(picture)
