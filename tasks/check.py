"""Every fault of a run's input, found before anything runs: `dialoguellm check CONFIG`.

Reads transcripts and the heads of videos, downloads no weights, makes no workspace. Needs neither torch nor prefect.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from model import weights
from model.dialogue import Rejected, Utterance
from model.errors import CorpusError, DialogueError
from tasks import check_leaks, check_text, check_videos, ingest
from tasks.captions import DEMO
from tasks.check_text import Finding
from tasks.corpora import emorynlp, meld
from tasks.ingest_settings import IngestSettings
from tasks.keyframes import KeyframesSettings
from tasks.stage import Context, Progress, StageSettings, no_progress
from tasks.stages import STAGES

LEVELS = ("error", "warning", "info")
SPOKEN = {"meld": meld.spoken_seconds}
"""Corpora whose transcripts say how long a line lasts."""


def check(
    settings: Mapping[str, StageSettings],
    cache: Path,
    progress: Progress = no_progress,
    others: Sequence[IngestSettings] = (),
) -> list[Finding]:
    """All findings, errors first; ``settings`` by stage name, ``cache`` the workspace's, which need not be there.

    ``others`` are corpora whose test splits this one's training lines must not stand in. Does not raise for the input:
    what cannot be read is a finding.
    """
    corpus, keyframes = cast("IngestSettings", settings["ingest"]), cast("KeyframesSettings", settings["keyframes"])
    found = [*_sources(settings, cache), *_corpus(corpus, keyframes, cache, progress)]
    for other in others:
        found += check_leaks.against(corpus, other, cache)
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def _sources(settings: Mapping[str, StageSettings], cache: Path) -> Iterator[Finding]:
    """Weights, face model and whatever else a stage names: each that cannot be had once, and which are yet to come."""
    told: set[str] = set()
    for stage in STAGES:
        values = settings[stage.name]
        if stage is ingest.STAGE or not getattr(values, "enabled", True):
            continue
        try:
            stage.identity(values)
            model = getattr(values, "model", DEMO)
            if model not in (DEMO, *told):  # the demo's own captioner is shipped
                told.add(model)
                yield _weights(model, cache)
        except DialogueError as error:
            if str(error) not in told:
                told.add(str(error))
                yield Finding("error", "source", stage.name, str(error))


def _weights(model: str, cache: Path) -> Finding:
    """Whether a model is here, and the room that there is for what is not."""
    if weights.at_hand(model, cache):
        return Finding("info", "weights", model, "on this machine")
    place = next(folder for folder in (cache, *cache.resolve().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free / 1e9
    return Finding("info", "weights", model, f"not on this machine yet: a run fetches it first; {free:.1f} GB are free")


def _corpus(settings: IngestSettings, frames: KeyframesSettings, cache: Path, progress: Progress) -> list[Finding]:
    """Each corpus as its files have it, then what of it stands in a test split."""
    if settings.corpus == "demo":
        return [Finding("info", "demo", "demo", "the demo is this program's own: ingest draws it, nothing to check")]
    found: list[Finding] = []
    rows: list[Utterance | Rejected] = []
    for one in settings.corpora():
        try:
            own = list(ingest.run({}, one.model_copy(update={"leaks": "keep"}), Context(cache=cache, folder=cache)))
        except CorpusError as error:
            found.append(Finding("error", "corpus", one.corpus, str(error)))
            continue
        rows += own
        edition = emorynlp.edition(_folder(one)) if one.corpus == "emorynlp" else None
        found += check_text.all_of(own, one.label_set(), whole=not one.dialogues, edition=edition)
        found += _videos(own, one, frames, progress)
    lines = [row for row in rows if isinstance(row, Utterance)]
    if not any(item.check == "corpus" for item in found):
        found += check_leaks.within(lines, settings, cache)
    return [*check_text.too_many(rows, settings.max_rejects), *found]


def _videos(
    rows: Sequence[Utterance | Rejected], settings: IngestSettings, frames: KeyframesSettings, progress: Progress
) -> Iterator[Finding]:
    if settings.videos is None or not frames.enabled:
        return
    root = settings.videos.expanduser()
    lines = [row for row in rows if isinstance(row, Utterance)]
    spoken = SPOKEN[settings.corpus](_folder(settings)) if settings.corpus in SPOKEN else {}
    yield from check_videos.all_of(lines, root, frames, spoken, whole=not settings.dialogues, progress=progress)


def _folder(settings: IngestSettings) -> Path:
    return (settings.folder or Path()).expanduser()
