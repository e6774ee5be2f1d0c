"""Every path of a workspace; no other module builds one.

<workspace>/                             a folder, or s3://bucket/prefix and a folder of local copies
  workspace.json                         the workspace's format version
  lake/<table>/<stage key>/              part-00042.parquet, its manifest part-00042.json, stage.json,
                                         all-<digest>.parquet: the finished parts in one, for queries
  models/<stage key>/                    adapter, checkpoints
  runs/<run id>.json                     resolved settings, stage keys, versions, machine
  runs/<run id>/attempt-0001.json        one execution of the run
  runs/<run id>/export-0001.json         one merged model made of it, and its check
  runs/<run id>/explained/<digest>.json  what moved the answer to one utterance
  reports/<run id>/index.html
  comparisons/<key>.json                 what `compare` found of two systems
  seceu/<key>.json                       what `seceu` found of one system, answers and all
  ablations/<grid>/grid.json             the runs of a grid and what was found; index.html, its page
  results.duckdb                         the warehouse; can be rebuilt from the rest
  logs/<run id>.jsonl                    what happened in it, as JSON lines
  damaged/0001/                          what `fsck --repair` set aside, under the paths that it had
  locks/  cache/
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model.atomic import write_json
from model.errors import WorkspaceError, WorkspaceTooNew
from storage.mirror import Mirror, mirror_of
from storage.remote import SCHEME

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths under one workspace folder.

    Of a workspace in a bucket this is the folder of its local copies, kept by ``mirror`` (storage/files.py).
    """

    root: Path
    mirror: Mirror | None = None

    @property
    def name(self) -> str:
        """The workspace as a person names it: a path or a URL."""
        return self.mirror.bucket.url if self.mirror else str(self.root)

    @property
    def version_file(self) -> Path:
        return self.root / "workspace.json"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def comparisons(self) -> Path:
        return self.root / "comparisons"

    @property
    def ablations(self) -> Path:
        return self.root / "ablations"

    def ablation(self, name: str) -> Path:
        return self.root / "ablations" / name

    @property
    def seceu(self) -> Path:
        return self.root / "seceu"

    @property
    def database(self) -> Path:
        return self.root / "results.duckdb"

    def folder(self, table: str, stage_key: str) -> Path:
        return _folder(self.root, table, stage_key)

    def part(self, table: str, stage_key: str, shard: int) -> Path:
        return _folder(self.root, table, stage_key) / f"part-{shard:05d}.parquet"

    def manifest(self, table: str, stage_key: str, shard: int) -> Path:
        return _folder(self.root, table, stage_key) / f"part-{shard:05d}.json"

    def failure(self, table: str, stage_key: str, shard: int) -> Path:
        return _folder(self.root, table, stage_key) / f"part-{shard:05d}.failed.json"

    def copy(self, table: str, stage_key: str, digest: str) -> Path:
        return self.folder(table, stage_key) / f"all-{digest}.parquet"

    def shard_list(self, stage_key: str) -> Path:
        return self.folder("utterances", stage_key) / "stage.json"

    def model(self, stage_key: str) -> Path:
        return self.root / "models" / stage_key

    def run_file(self, run_id: str) -> Path:
        return self.runs / f"{run_id}.json"

    def attempts(self, run_id: str) -> Path:
        return self.runs / run_id

    def explanation(self, run_id: str, utterance_id: str) -> Path:
        digest = hashlib.sha256(utterance_id.encode("utf-8", "replace")).hexdigest()[:32]
        return self.runs / run_id / "explained" / f"{digest}.json"

    def report(self, run_id: str) -> Path:
        return self.root / "reports" / run_id

    def lock(self, name: str) -> Path:
        return self.root / "locks" / f"{name}.lock"

    @property
    def damaged(self) -> Path:
        return self.root / "damaged"

    def log(self, run_id: str) -> Path:
        return self.root / "logs" / f"{run_id}.jsonl"


@lru_cache(maxsize=4096)
def _folder(root: Path, table: str, stage_key: str) -> Path:
    """Kept: a large run asks for thousands of files of each."""
    return root.joinpath("lake", table, stage_key)


def at(root: Path | str) -> Layout:
    """The layout of a folder, or of an s3:// URL, that may hold a workspace.

    Raises WorkspaceError where it makes no sense.
    """
    if str(root).startswith(SCHEME[:4]):  # a Path has lost one of the two slashes
        mirror = mirror_of(str(root))
        return Layout(mirror.root, mirror)
    try:
        layout = Layout(Path(root).expanduser().resolve())
        if "?" in str(layout.root):
            raise ValueError("DuckDB takes what follows a question mark for options")
        return layout
    except (RuntimeError, ValueError) as error:  # no such home, a loop of links, a zero byte
        raise WorkspaceError(f"{str(root)!r} cannot be a workspace ({error}): name another folder") from error


def open_workspace(root: Path | str, *, create: bool = False) -> Layout:
    """The layout of the workspace at ``root``, checked.

    With ``create`` a missing workspace is made. Raises WorkspaceError where there is none or where it cannot be
    written, WorkspaceTooNew where a later version of this program made it.
    """
    layout = at(root)
    if not exists(layout):
        if not create:
            raise WorkspaceError(
                f"{layout.name} holds no workspace yet: start with `dialoguellm run CONFIG`, "
                "or name another folder with --workspace"
            )
        _create(layout)
    _check_version(layout)
    if layout.mirror:
        layout.mirror.refresh(layout.runs)
    elif create and not os.access(layout.root, os.W_OK):
        raise WorkspaceError(f"{layout.root} cannot be written: change its permissions or choose another workspace")
    return layout


def exists(layout: Layout) -> bool:
    """Whether a workspace has been made there."""
    if layout.mirror:
        layout.mirror.fetch(layout.version_file)
    return layout.version_file.exists()


def _create(layout: Layout) -> None:
    if layout.mirror:
        layout.mirror.upload(layout.version_file, json.dumps({"format": FORMAT}).encode())
        layout.mirror.fetch(layout.version_file)
        return
    try:
        layout.root.mkdir(parents=True, exist_ok=True)
        write_json(layout.version_file, {"format": FORMAT})
    except OSError as error:
        raise WorkspaceError(
            f"the workspace {layout.root} cannot be made ({error.strerror}): "
            "change the permissions or choose another folder with --workspace"
        ) from error


def _check_version(layout: Layout) -> None:
    try:
        found = int(json.loads(layout.version_file.read_text())["format"])
    except OSError as error:
        raise WorkspaceError(f"{layout.version_file} cannot be read ({error.strerror})") from error
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise WorkspaceError(
            f'{layout.version_file} is damaged: restore it with {{"format": {FORMAT}}} or use another workspace'
        ) from error
    if found > FORMAT:
        raise WorkspaceTooNew(
            f"{layout.name} has workspace format {found}, this program knows up to {FORMAT}: "
            "update dialoguellm or use another workspace"
        )
