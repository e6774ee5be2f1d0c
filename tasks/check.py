"""Every fault of a run's input, found before anything runs: `dialoguellm check CONFIG`.

Reads transcripts and the heads of videos, downloads no weights, makes no workspace. Needs neither torch nor prefect.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import cast

from model import weights
from model.dialogue import Utterance
from model.errors import CorpusError, DialogueError
from tasks import check_text, check_videos, ingest
from tasks.captions import DEMO
from tasks.check_text import Finding
from tasks.corpora import emorynlp, meld
from tasks.corpora.leaks import leaks
from tasks.ingest import IngestSettings
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
        found += _leaks(corpus, other, cache)
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def _leaks(corpus: IngestSettings, other: IngestSettings, cache: Path) -> list[Finding]:
    """Training lines that stand in the other corpus's test split: told as one warning, each of them as info."""
    if "demo" in (corpus.corpus, other.corpus):
        return [Finding("error", "leak", "demo", "the demo has no lines of another corpus: compare two that are read")]
    try:
        mine, theirs = (
            [row for row in ingest.run({}, one, Context(cache=cache, folder=cache)) if isinstance(row, Utterance)]
            for one in (corpus.model_copy(update={"videos": None}), other.model_copy(update={"videos": None}))
        )
    except CorpusError as error:
        return [Finding("error", "corpus", other.corpus, str(error))]
    train, test = [row for row in mine if row.split == "train"], [row for row in theirs if row.split == "test"]
    found = leaks(train, test)
    name = f"{other.label_set()}/test"
    if not found:
        return [Finding("info", "leak", f"{corpus.label_set()}/train", f"no line of it stands in {name}")]
    touched = len({line for lines in found.values() for line in lines})
    detail = (
        f"{len(found)} of {len(train)} lines say what {touched} of {len(test)} lines of {name} say, after the same line"
    )
    rows = [Finding("info", "leak", line, f"stands in {', '.join(lines[:3])}") for line, lines in found.items()]
    hint = "; do not score on the one what the other trained"
    return [Finding("warning", "leak", f"{corpus.label_set()}/train", detail + hint), *rows]


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
    if settings.corpus == "demo":
        return [Finding("info", "demo", "demo", "the demo is this program's own: ingest draws it, nothing to check")]
    try:
        rows = list(ingest.run({}, settings, Context(cache=cache, folder=cache)))
    except CorpusError as error:
        return [Finding("error", "corpus", settings.corpus, str(error))]
    whole = not settings.dialogues
    edition = emorynlp.edition(_folder(settings)) if settings.corpus == "emorynlp" else None
    found = check_text.all_of(rows, settings.label_set(), settings.max_rejects, whole=whole, edition=edition)
    root = ingest.videos_root(settings, cache, {})
    if root is None or not frames.enabled:
        return found
    lines = [row for row in rows if isinstance(row, Utterance)]
    spoken = SPOKEN[settings.corpus](_folder(settings)) if settings.corpus in SPOKEN else {}
    return [*found, *check_videos.all_of(lines, root, frames, spoken, whole=whole, progress=progress)]


def _folder(settings: IngestSettings) -> Path:
    return (settings.folder or Path()).expanduser()
