"""The folders that a shard's work needs besides rows, made ready on the machine that does it.

Adapters and checkpoints of a workspace in a bucket are fetched and sent (storage/model_folders.py); the demo's clips,
which lie in no bucket, are drawn where they are missing. Of a workspace in a folder all is there.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from storage import files, model_folders
from storage.shards import read_manifest
from tasks.ingest import draw_missing
from tasks.ingest_settings import IngestSettings
from tasks.plan import Run
from tasks.stage import Context, Rows, Stage


def results_of(run: Run, stage: Stage, rows: Rows, context: Context) -> Generator[Any, None, None]:
    """What a stage yields of a shard. What its own folder holds is in the workspace before the last result is out."""
    results = stage.run(rows, run.settings[stage.name], context)
    for earlier in stage.after:
        if earlier in context.folders:
            model_folders.fetch(run.layout, context.folders[earlier])
            _check(run, earlier)
    if stage.videos and context.videos and not context.videos.exists():
        draw_missing(IngestSettings.model_validate(run.settings["ingest"]), context)
    if stage.unit and stage.name not in ("ingest", "report"):
        with model_folders.kept(run.layout, context.folder):
            yield from results
    else:
        yield from results
    if stage.name == "report":
        files.send(run.layout, context.folder)


def _check(run: Run, name: str) -> None:
    """An adapter must be the one that was trained."""
    stage = next((stage for stage in run.stages() if stage.name == name), None)
    if stage and stage.unit and stage.name != "ingest":
        path = files.local(run.layout, run.layout.manifest(stage.writes, run.key(stage), 0))
        model_folders.check(run.layout, (read_manifest(path) or {}).get("files", {}))
