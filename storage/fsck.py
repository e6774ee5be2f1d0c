"""What in a workspace is not what was written: every file that a manifest vouches for is read and compared with it.

Known are sizes and SHA-256 of parts, of rejects and of what a stage left in its folder; records know a digest of
themselves. Nothing is changed here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.checkpoints import damaged
from storage.copies import SCHEMA
from storage.fsck_files import Files, files_of
from storage.layout import Layout
from storage.ledger import are_records
from storage.shards import Manifest

PART = re.compile(r"part-(\d{5,})\.(parquet|json|failed\.json)")
AGAIN = "`fsck --repair`, then it is made again"
REMOVE = "nothing reads it: `fsck --repair` sets it aside"
RECORDS = {
    "runs/*.json": "`dialoguellm run CONFIG` records that run again",
    "runs/*/attempt-*.json": "the readings of test that it told of are not counted any more",
    "runs/*/reading-*.json": "the reading of test that it told of is not counted any more",
    "runs/*/export-*.json": "`dialoguellm export RUN --merged` makes one again",
    "runs/*/counterfactual-*.json": "`dialoguellm counterfactual` makes it again",
    "runs/*/explained/*.json": "`dialoguellm explain` makes it again",
    "comparisons/*.json": "`dialoguellm compare` makes it again",
    "seceu/*.json": "`dialoguellm seceu` makes it again",
    "ablations/*/grid.json": "`dialoguellm ablation` makes it again",
}
"""Records by where they lie, and what to do where one is lost."""

LISTS = {
    "runs/*/counterfactual-*.json": ("rows",),
    "comparisons/*.json": ("rows",),
    "seceu/*.json": ("rows",),
    "ablations/*/grid.json": ("runs", "rows"),
}
"""Lists of objects that a record must hold to be read."""

Look = Callable[[int], None]
"""Called with the bytes of each file that was read."""


@dataclass(frozen=True, slots=True)
class Fault:
    """``kind`` is one of KINDS; ``file`` is below the workspace, ``aside`` what is to be moved away for a repair.

    ``stage_key`` is that of the stage whose shard has to be made again, None where none has to.
    """

    kind: str
    file: str
    detail: str
    todo: str
    stage: str | None = None
    shard: int | None = None
    stage_key: str | None = None
    aside: tuple[Path, ...] = ()


KINDS = {
    "missing": "a finished shard's file is not there",
    "truncated": "a file is shorter than it was",
    "changed": "a file is not what was written",
    "unreadable": "a manifest or record is no JSON, or not what was written",
    "misplaced": "a manifest or record is not of the place where it lies",
    "unfinished": "rows without a manifest: a process was killed, or the manifest is lost",
    "leftover": "a file that nothing reads",
    "stale": "a shard was made from rows that have been replaced by others",
    "warehouse": "results.duckdb is damaged or does not tell what the lake has",
}


def records(layout: Layout) -> Iterator[Fault]:
    """Records that cannot be read."""
    files = files_of(layout)
    for pattern, todo in RECORDS.items():
        for path in files.glob(pattern):
            if path.name.startswith("."):
                continue
            found = files.record(path)
            if found is None or not all(are_records(found.get(name)) for name in LISTS.get(pattern, ())):
                yield Fault("unreadable", _name(layout, path), "it is not what was written", todo, aside=(path,))


def lake(layout: Layout, wanted: Callable[[str], bool], look: Look = lambda _bytes: None) -> Iterator[Fault]:
    """Faults of the folders of the stage keys that are ``wanted``."""
    files = files_of(layout)
    for folder in files.glob("lake/*/*"):
        if folder.name != SCHEMA and wanted(folder.name):
            yield from _folder(layout, files, folder, look)


def models(layout: Layout, wanted: Callable[[str], bool], look: Look = lambda _bytes: None) -> Iterator[Fault]:
    """Damaged checkpoints of training that goes on, and what killed processes left."""
    if layout.mirror:
        yield from _indexed(layout, wanted, look)
        return
    files = files_of(layout)
    for folder in sorted(layout.root.glob("models/*")):
        if not wanted(folder.name.partition(".")[0]) or files.busy(folder.name):
            continue
        for checkpoint in sorted(folder.glob("checkpoints/*")):
            look(sum(path.stat().st_size for path in checkpoint.glob("*") if path.is_file()))
            if not checkpoint.name.startswith(".") and (name := damaged(checkpoint)):
                yield Fault(
                    *("changed", _name(layout, checkpoint / name), "it is not what was written"),
                    "`fsck --repair`; training goes on from the checkpoint before",
                    stage_key=folder.name,
                    aside=(checkpoint,),
                )
        for path in sorted([*folder.glob(".*"), *folder.glob("checkpoints/.*")]):
            yield Fault("leftover", _name(layout, path), "a process was killed", REMOVE, aside=(path,))


def _indexed(layout: Layout, wanted: Callable[[str], bool], look: Look) -> Iterator[Fault]:
    """The same of a bucket, where a model's folder is an index and objects that it names by their digests."""
    files = files_of(layout)
    for place in files.glob("models/*.json"):
        key = place.stem
        if not wanted(key.partition(".")[0]) or files.busy(key):
            continue
        about: dict[str, Any] = {"stage_key": key, "aside": (layout.model(key),)}
        index = (files.record(place) or {}).get("files")
        if not isinstance(index, dict):
            yield Fault("unreadable", _name(layout, place), "it is not what was written", AGAIN, **about)
            continue
        for name, digest in index.items():
            path = layout.model(key) / name
            if wrong := _compared(files, path, None, digest, look):
                yield Fault(wrong[0], _name(layout, path), wrong[1], AGAIN, **about)


def _folder(layout: Layout, files: Files, folder: Path, look: Look) -> Iterator[Fault]:
    table, key = folder.parent.name, folder.name
    busy = files.busy(key)
    for path in files.glob(f"{_name(layout, folder)}/*"):
        match = PART.fullmatch(path.name)
        if match and match[2] == "json":
            yield from shard(layout, table, key, int(match[1]), look, files)
        elif path.name == "stage.json" and table == "utterances":
            yield from _cut(layout, files, key, path)
        elif match and match[2] == "parquet" and not busy:
            yield from _alone(layout, files, table, key, int(match[1]), path)
        elif not match and not busy and not re.fullmatch(r"all-[0-9a-f]+\.parquet", path.name):
            why = "a process was killed" if path.name.startswith(".") else "it is not of this program"
            yield Fault("leftover", _name(layout, path), why, REMOVE, aside=(path,))


def shard(
    layout: Layout, table: str, key: str, number: int, look: Look = lambda _bytes: None, files: Files | None = None
) -> Iterator[Fault]:
    """Faults of what one manifest vouches for. One that is being made again meanwhile has none."""
    files = files or files_of(layout)
    place = layout.manifest(table, key, number)
    manifest = files.record(place)
    found = list(_of_manifest(layout, files, (table, key, number), manifest, look))
    if found and files.record(place) == manifest and files.exists(place):
        yield from found


def _of_manifest(
    layout: Layout, files: Files, whose: tuple[str, str, int], manifest: Manifest | None, look: Look
) -> Iterator[Fault]:
    table, key, number = whose
    place, part = layout.manifest(table, key, number), layout.part(table, key, number)
    rejects = layout.part("rejects", key, number)
    about: dict[str, Any] = {"stage": (manifest or {}).get("stage", table), "shard": number, "stage_key": key}
    about["aside"] = (place, part, rejects)
    if manifest is None:
        yield Fault("unreadable", _name(layout, place), "it is not what was written", AGAIN, **about)
        return
    if (manifest.get("stage_key"), manifest.get("shard")) != (key, number):
        detail = f"it is that of shard {manifest.get('shard')} of {manifest.get('stage_key')}"
        yield Fault("misplaced", _name(layout, place), detail, AGAIN, **about)
        return
    parts = {part: (manifest.get("bytes"), manifest.get("sha256"))}
    if manifest.get("rejects"):
        parts[rejects] = (manifest.get("rejects_bytes"), manifest.get("rejects_sha256"))
    for path, (size, digest) in parts.items():
        if wrong := _compared(files, path, size, digest, look):
            yield Fault(wrong[0], _name(layout, path), wrong[1], AGAIN, **about)
    for name, known in manifest.get("files", {}).items():
        if wrong := _compared(files, layout.root / name, known.get("bytes"), known.get("sha256"), look):
            own = layout.root.joinpath(*Path(name).parts[:2])  # models/<key> or reports/<run>
            whole = {**about, "aside": (*about["aside"], own)}
            yield Fault(wrong[0], name, wrong[1], AGAIN, **whole)


def _compared(files: Files, path: Path, size: int | None, digest: str | None, look: Look) -> tuple[str, str] | None:
    """What is wrong with a file, if anything: the kind of fault, and how it differs. None is not known."""
    try:
        held = files.size(path)
        if size is not None and held != size:
            return "truncated" if held < size else "changed", f"{held:,} bytes instead of {size:,}"
        found = files.sha256(path)
        look(held)
    except FileNotFoundError:
        return "missing", "it is not there"
    except OSError as error:
        return "changed", f"it cannot be read ({error.strerror})"
    if digest is not None and found != digest:
        return "changed", f"its SHA-256 is {found[:12]}…, not {digest[:12]}…"
    return None


def _cut(layout: Layout, files: Files, key: str, path: Path) -> Iterator[Fault]:
    """The list of shards that ingest cut."""
    cut = files.record(path)
    about: dict[str, Any] = {"stage": "ingest", "stage_key": key, "aside": (path,)}
    if cut is None or not isinstance(cut.get("shards"), list):
        yield Fault("unreadable", _name(layout, path), "it is not what was written", AGAIN, **about)
        return
    for item in cut["shards"]:
        place = layout.manifest("utterances", key, item["shard"])
        if not files.exists(place):
            yield Fault("missing", _name(layout, place), "it is not there", AGAIN, **{**about, "shard": item["shard"]})


def _alone(layout: Layout, files: Files, table: str, key: str, number: int, path: Path) -> Iterator[Fault]:
    """A part without its manifest; rejects have that of their rows."""
    own = path.with_suffix(".json")
    if not (files.glob(f"lake/*/{key}/{own.name}") if table == "rejects" else files.exists(own)):
        yield Fault("unfinished", _name(layout, path), "it has no manifest", REMOVE, shard=number, aside=(path,))


def _name(layout: Layout, path: Path) -> str:
    return path.relative_to(layout.root).as_posix()
