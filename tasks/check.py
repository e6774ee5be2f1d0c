"""Every fault of a run's input, found before anything runs: `dialoguellm check CONFIG`.

Reads transcripts and the heads of videos, writes prompts where the tokenizer is here, weighs the disk; downloads no
weights, makes no workspace. Needs neither torch nor prefect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from model import weights
from model.dialogue import Rejected, Utterance
from model.errors import CorpusError, DialogueError
from model.vlm import DEMO_FOLDER
from tasks import captions, check_captions, check_disk, check_prompts, check_text, check_videos, ingest
from tasks.captions import DEMO, CaptionsSettings
from tasks.check_text import Finding
from tasks.corpora import demo, emorynlp, meld
from tasks.corpora.leaks import leaks
from tasks.ingest import IngestSettings
from tasks.instructions import InstructionsSettings
from tasks.keyframes import KeyframesSettings
from tasks.plan import Run, plan_stage
from tasks.stage import Context, Progress, StageSettings, no_progress
from tasks.stages import BY_NAME, STAGES

LEVELS = ("error", "warning", "info")
EVERY = frozenset(BY_NAME)
SPOKEN = {"meld": meld.spoken_seconds}
"""Corpora whose transcripts say how long a line lasts."""


def check(
    settings: Mapping[str, StageSettings],
    cache: Path,
    progress: Progress = no_progress,
    others: Sequence[IngestSettings] = (),
    *,
    run: Run | None = None,
    stages: Collection[str] = EVERY,
    quick: bool = False,
) -> list[Finding]:
    """All findings, errors first; ``settings`` by stage name, ``cache`` the workspace's, which need not be there.

    ``others`` are corpora whose test splits this one's training lines must not stand in. ``run`` is the
    configuration resolved against its workspace: what that holds is looked at too. ``stages`` are those that will
    run. ``quick`` leaves prompts and captions out: to load a tokenizer alone takes longer than all the rest of a
    corpus without videos. Does not raise for the input: what cannot be read is a finding.
    """
    corpus, keyframes = cast("IngestSettings", settings["ingest"]), cast("KeyframesSettings", settings["keyframes"])
    found = list(_sources(settings, cache))
    lines, of_corpus = _corpus(corpus, keyframes, cache, progress, videos="keyframes" in stages)
    found += of_corpus
    found += _captioner(cast("CaptionsSettings", settings["captions"]), lines)
    number = len(lines) or _lines_of_demo(corpus)
    found += check_disk.all_of(settings, cache, number, partial(_to_do, run, stages))
    if lines and not quick:
        prompts = cast("InstructionsSettings", settings["instructions"])
        found += check_prompts.all_of(lines, corpus.shard_utterances, prompts, cache, progress)
    if run and not quick:
        found += check_captions.all_of(run)
    for other in others:
        found += _leaks(corpus, other, cache)
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def room(run: Run, stages: Collection[str]) -> list[Finding]:
    """What is to be said of the disk alone, where ingest is done and the number of lines known."""
    lines = sum(item["rows"] for item in run.shards() or [])
    return list(check_disk.all_of(run.settings, run.layout.cache, lines, partial(_to_do, run, stages)))


def _to_do(run: Run | None, stages: Collection[str], stage: str) -> float:
    """The share (0 to 1) of a stage that will be done."""
    if stage not in stages:
        return 0.0
    if run is None:
        return 1.0
    if run.keys[stage] is None:
        return 0.0
    plan = plan_stage(run, BY_NAME[stage])
    return 1.0 if plan.total is None else len(plan.pending) / max(plan.total, 1)


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
    here = weights.at_hand(model, cache)
    told = "on this machine" if here else "not on this machine yet: a run fetches it first"
    return Finding("info", "weights", model, told)


def _captioner(settings: CaptionsSettings, lines: Sequence[Utterance]) -> Iterator[Finding]:
    """The demo's own captioner is refused by captions, which is after all the videos were decoded."""
    if settings.enabled and settings.model == DEMO:
        try:
            captions.refuse_unknown_world(DEMO_FOLDER, lines, settings)
        except DialogueError as error:
            yield Finding("error", "captioner", "captions", str(error))


def _corpus(
    settings: IngestSettings, frames: KeyframesSettings, cache: Path, progress: Progress, *, videos: bool
) -> tuple[list[Utterance], list[Finding]]:
    """The corpus's lines, and what is to be said of it; without lines where it cannot be read."""
    try:
        rows = _rows(settings, cache)
    except CorpusError as error:
        return [], [Finding("error", "corpus", settings.corpus, str(error))]
    if rows is None:
        return [], [Finding("info", "demo", "demo", "the demo is this program's own: ingest draws it first")]
    whole = not settings.dialogues
    lines = [row for row in rows if isinstance(row, Utterance)]
    edition = emorynlp.edition(_folder(settings)) if settings.corpus == "emorynlp" else None
    found = check_text.all_of(rows, settings.label_set(), settings.max_rejects, whole=whole, edition=edition)
    root = _videos(settings, cache)
    if root is None or not frames.enabled or not videos:
        return lines, found
    spoken = SPOKEN[settings.corpus](_folder(settings)) if settings.corpus in SPOKEN else {}
    return lines, [*found, *check_videos.all_of(lines, root, frames, spoken, whole=whole, progress=progress)]


def _rows(settings: IngestSettings, cache: Path) -> list[Utterance | Rejected] | None:
    """What ingest would yield; None for a demo that is not drawn yet, which would take a while."""
    if settings.corpus != "demo":
        return list(ingest.run({}, settings, Context(cache=cache, folder=cache)))
    folder = _videos(settings, cache)
    return list(demo.read(folder)) if folder and (folder / demo.TRANSCRIPT).is_file() else None


def _videos(settings: IngestSettings, cache: Path) -> Path | None:
    identity = ingest.identity(settings) if settings.corpus == "demo" else {}
    return ingest.videos_root(settings, cache, identity)


def _folder(settings: IngestSettings) -> Path:
    return (settings.folder or Path()).expanduser()


def _lines_of_demo(settings: IngestSettings) -> int:
    from tasks.demo.script import load_script

    return sum(len(dialogue.lines) for dialogue in load_script()) if settings.corpus == "demo" else 0
