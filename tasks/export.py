"""export: a run's instructions as a data set for other trainers: one Parquet file a split, and a data card."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from model.atomic import new_folder
from model.dialogue import Instruction, corpus_of
from model.emotions import answers
from model.errors import SettingsError, WorkspaceError
from storage.shards import read_manifest, read_rows
from tasks import data_card
from tasks.export_forms import SCHEMAS, Form, as_row
from tasks.ingest_settings import IngestSettings
from tasks.plan import Run, plan, plan_stage
from tasks.stages import BY_NAME, STAGES

STAGE_NAME = "instructions"
NAMES = {"train": "train", "dev": "validation"}
"""Our splits as the hub calls them. The test split is not among them: only evaluation reads it."""

ROWS_PER_GROUP = 10_000


@dataclass(slots=True)
class Part:
    """One exported file. ``labels`` counts its rows by corpus and answer; ``rejected`` utterances got no prompt and are
    not in it; ``source`` is the SHA-256 over those of the shards it was made from, ``sha256`` its own."""

    split: str
    file: str
    labels: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: int = 0
    bytes: int = 0
    sha256: str = ""
    source: str = ""

    @property
    def rows(self) -> int:
        return self.labels.total()


def export(run: Run, form: Form, out: Path, splits: Sequence[str] = tuple(NAMES)) -> list[Part]:
    """Writes ``out`` whole or not at all, and says what is in it. Memory: one shard and one row group.

    Raises SettingsError for a split that is not exported and for an ``out`` that holds anything, WorkspaceError
    where instructions are missing or damaged or a split has none, OSError where ``out`` cannot be written.
    """
    wanted = {split: finished_shards(run, split) for split in _checked(splits)}
    target = free_folder(out)
    with new_folder(target) as work:
        parts = [_write(run, split, shards, form, work) for split, shards in wanted.items()]
        (work / "README.md").write_text(data_card.render(run, form, parts), encoding="utf-8")
    return parts


def _checked(splits: Sequence[str]) -> list[str]:
    """The splits in our order, each once."""
    if "test" in splits:
        raise SettingsError(
            "the test split is not exported: only evaluation reads it, and each reading is on record "
            '(`dialoguellm sql "from test_reads"`); ask for train, dev or both'
        )
    unknown = [repr(split) for split in splits if split not in NAMES]
    if unknown or not splits:
        raise SettingsError(f"--splits: {', '.join(unknown) or 'none named'}; it takes train, dev or both")
    return [split for split in NAMES if split in splits]


def free_folder(out: Path, option: str = "--out") -> Path:
    """The folder to make, checked before any row is read."""
    try:
        target = out.expanduser().resolve()
    except (RuntimeError, ValueError) as error:  # no such home, a loop of links, a zero byte
        raise SettingsError(f"{option}: {str(out)!r} cannot be a folder ({error}): name another") from error
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise SettingsError(f"{option}: {target} is there already and is not an empty folder: name another")
    return target


def finished_shards(run: Run, split: str) -> list[int]:
    """The finished shards of a split. Raises WorkspaceError with the line that makes what is missing."""
    stage = BY_NAME[STAGE_NAME]
    shards = [item["shard"] for item in run.shards() or [] if item["split"] == split]
    state = plan_stage(run, stage)
    waiting = [entry for entry in state.pending if state.total is None or entry.shard in shards]
    if waiting:
        names = [item.name for item in STAGES[: STAGES.index(stage)]]
        earlier = any(item.pending for item in plan(run, names))
        how = run.typed(f"rerun {run.run_id} " + ("--failed" if earlier else f"--stage {STAGE_NAME}"))
        count = "all" if state.total is None else f"{len(waiting)} of {len(shards)} shards"
        raise WorkspaceError(
            f"{run.run_id}: the instructions of {split} are not all there "
            f"({count} pending: {waiting[0].reason}): `{how}` makes what is missing"
        )
    return shards


def _write(run: Run, split: str, shards: Sequence[int], form: Form, folder: Path) -> Part:
    part = Part(split, f"{NAMES[split]}.parquet")
    path, digest = folder / part.file, hashlib.sha256()
    rows: list[dict[str, Any]] = []
    options: dict[str, Any] = {"compression": "zstd", "use_content_defined_chunking": True}
    with pq.ParquetWriter(path, SCHEMAS[form], write_page_checksum=True, **options) as writer:
        for shard in shards:
            rows += (as_row(form, row) for row in read_shard(run, split, shard, part, digest))
            if len(rows) >= ROWS_PER_GROUP:
                writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMAS[form]))
                rows.clear()
        if rows:
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMAS[form]))
    if not part.rows:
        raise WorkspaceError(f"{run.run_id} has no instructions of {split}: leave it out of --splits")
    part.bytes, part.source = path.stat().st_size, digest.hexdigest()
    with path.open("rb") as file:
        part.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return part


def read_shard(run: Run, split: str, shard: int, part: Part, digest: Any) -> Iterator[Instruction]:
    """The rows of a shard, counted. No row of another split may slip through, whatever the list of shards says."""
    key = run.key(BY_NAME[STAGE_NAME])
    ingest: IngestSettings = run.settings["ingest"]  # type: ignore[assignment]
    words = run.settings["instructions"].label_words  # type: ignore[attr-defined]
    known = {one.label_set(): answers(one.label_set(), words) for one in ingest.corpora()}
    manifest = read_manifest(run.layout.manifest(STAGE_NAME, key, shard)) or {}
    part.rejected += manifest.get("rejected_utterances", 0)
    digest.update(str(manifest.get("sha256")).encode())
    for row in read_rows(run.layout, STAGE_NAME, key, shard):
        corpus = corpus_of(row.utterance_id)
        home = f"{corpus}/{split}/"
        ids = (row.utterance_id, *row.context_ids)
        if row.answer not in known.get(corpus, ()) or not all(name.startswith(home) for name in ids):
            path = run.layout.part(STAGE_NAME, key, shard)
            homes = " or ".join(f"{name}/{split}" for name in known)
            raise WorkspaceError(
                f"{path}: {row.utterance_id!r} is no labelled line of {homes}: "
                f"`{run.typed(f'rerun {run.run_id} --stage {STAGE_NAME} --shards {shard} --force')}` makes it again"
            )
        part.labels[corpus, row.answer] += 1
        yield row
