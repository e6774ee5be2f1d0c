"""Every fault of a run's input, found before anything runs: `dialoguellm check CONFIG`.

Reads transcripts and the heads of videos, downloads nothing, writes nothing. Needs neither torch nor prefect.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from model.errors import CorpusError, DialogueError
from tasks import check_text, ingest
from tasks.check_text import Finding
from tasks.ingest import IngestSettings
from tasks.stage import Context, StageSettings
from tasks.stages import STAGES

LEVELS = ("error", "warning", "info")


def check(settings: Mapping[str, StageSettings], cache: Path) -> list[Finding]:
    """All findings, errors first; ``settings`` by stage name, ``cache`` the workspace's, which need not be there.

    Does not raise for the input: what cannot be read is a finding.
    """
    found = [*_sources(settings), *_corpus(cast("IngestSettings", settings["ingest"]), cache)]
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def _sources(settings: Mapping[str, StageSettings]) -> Iterator[Finding]:
    """Weights, face model and whatever else a stage names that cannot be had; each fault once."""
    told: set[str] = set()
    for stage in STAGES:
        values = settings[stage.name]
        if stage is ingest.STAGE or not getattr(values, "enabled", True):
            continue
        try:
            stage.identity(values)
        except DialogueError as error:
            if str(error) not in told:
                told.add(str(error))
                yield Finding("error", "source", stage.name, str(error))


def _corpus(settings: IngestSettings, cache: Path) -> list[Finding]:
    if settings.corpus == "demo":
        return [Finding("info", "demo", "demo", "the demo is this program's own: ingest draws it, nothing to check")]
    try:
        rows = list(ingest.run({}, settings, Context(cache=cache, folder=cache)))
    except CorpusError as error:
        return [Finding("error", "corpus", settings.corpus, str(error))]
    return check_text.all_of(rows, settings.corpus, settings.max_rejects, whole=not settings.dialogues)
