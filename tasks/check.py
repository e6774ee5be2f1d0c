"""Every fault of a run's input, found before anything runs: `dialoguellm check CONFIG`.

Reads transcripts and the heads of videos, writes prompts where the tokenizer is here, weighs the disk; downloads no
weights, makes no workspace. Needs neither torch nor prefect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import cast

from model import face_weights, weights
from model.dialogue import Rejected, Utterance
from model.errors import CorpusError, DialogueError
from model.vlm import DEMO_FOLDER
from tasks import (
    caption_detections,
    captions,
    check_captions,
    check_disk,
    check_leaks,
    check_memory,
    check_prompts,
    check_server,
    check_text,
    check_videos,
    ingest,
)
from tasks.captions import CUES, DEMO, NO_DETECTOR, CaptionsSettings
from tasks.check_text import Finding
from tasks.corpora import demo, emorynlp, meld
from tasks.evaluate_settings import EvaluateSettings
from tasks.ingest_settings import IngestSettings
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
    if "captions" in stages:
        shown = cast("CaptionsSettings", settings["captions"])
        found += [*_captioner(shown, keyframes, lines), *check_memory.all_of(shown)]
        found += _detectors(shown, keyframes, cache)
    asked = cast("EvaluateSettings", settings["evaluate"])
    if "evaluate" in stages and asked.server:
        found.append(check_server.of(asked, asked.model))
    number = len(lines) or _lines_of_demo(corpus)
    found += check_disk.all_of(settings, cache, number, partial(_to_do, run, stages))
    if lines and not quick:
        prompts = cast("InstructionsSettings", settings["instructions"])
        found += check_prompts.all_of(lines, corpus.shard_utterances, prompts, cache, progress)
    if run and not quick:
        found += check_captions.all_of(run)
    for other in others:
        found += check_leaks.against(corpus, other, cache)
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def room(run: Run, stages: Collection[str]) -> list[Finding]:
    """What is to be said where ingest is done and the lines are known: of the disk, and of a captioner that refuses."""
    cut = run.shards() or []
    lines, to_do = sum(item["rows"] for item in cut), partial(_to_do, run, stages)
    found = list(check_disk.all_of(run.settings, run.layout.cache, lines, to_do))
    if to_do("captions"):
        shown = cast("CaptionsSettings", run.settings["captions"])
        found += _foreign(shown, {item["corpus"] for item in cut if item.get("videos", True)})
    return found


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
            if model not in (DEMO, CUES, *told) and not getattr(values, "server", None):  # the demo's own is shipped
                told.add(model)
                yield _weights(model, weights.at_hand(model, cache))
            if detector := getattr(values, "face_model", None):
                yield _weights(detector, face_weights.at_hand(detector, cache))
        except DialogueError as error:
            if str(error) not in told:
                told.add(str(error))
                yield Finding("error", "source", stage.name, str(error))


def _weights(model: str, here: bool) -> Finding:
    told = "on this machine" if here else "not on this machine yet: a run fetches it first"
    return Finding("info", "weights", model, told)


def _detectors(settings: CaptionsSettings, frames: KeyframesSettings, cache: Path) -> Iterator[Finding]:
    if settings.enabled and frames.enabled:
        faces = frames.face_model is not None
        yield from caption_detections.findings(settings.detectors(), faces, cache)


def _captioner(settings: CaptionsSettings, frames: KeyframesSettings, lines: Sequence[Utterance]) -> Iterator[Finding]:
    """What captions would stop for, which is after all the videos were decoded."""
    if settings.enabled and settings.server:
        yield check_server.of(settings, settings.model)
    elif settings.enabled and settings.model == CUES:
        if frames.enabled and frames.face_model is None:
            yield Finding("error", "captioner", "captions", NO_DETECTOR)
    elif settings.enabled:
        yield from _foreign(settings, {line.corpus for line in lines})


def _foreign(settings: CaptionsSettings, corpora: Collection[str]) -> Iterator[Finding]:
    """A captioner in a folder that knows another world."""
    folder = DEMO_FOLDER if settings.model == DEMO else Path(settings.model).expanduser()
    if settings.enabled and not settings.server and (folder / "config.json").is_file():
        try:
            captions.refuse_unknown_world(folder, corpora, settings)
        except DialogueError as error:
            yield Finding("error", "captioner", "captions", str(error))


def _corpus(
    settings: IngestSettings, frames: KeyframesSettings, cache: Path, progress: Progress, *, videos: bool
) -> tuple[list[Utterance], list[Finding]]:
    """The lines that ingest would yield, and each corpus as its files have it, then what of it stands in a test split.

    Without lines where a corpus cannot be read.
    """
    found: list[Finding] = []
    rows: list[Utterance | Rejected] = []
    filmed: list[Utterance] = []
    of_videos: list[Finding] = []
    for one in settings.corpora():
        try:
            own = _rows(one, cache)
        except CorpusError as error:
            found.append(Finding("error", "corpus", one.corpus, str(error)))
            continue
        if own is None:
            return [], [Finding("info", "demo", "demo", "the demo is this program's own: ingest draws it first")]
        rows += own
        edition = emorynlp.edition(_folder(one)) if one.corpus == "emorynlp" else None
        found += check_text.all_of(own, one.label_set(), whole=not one.dialogues, edition=edition)
        if videos and frames.enabled and (root := _root(one, cache)):
            filmed += (shown := [row for row in own if isinstance(row, Utterance)])
            of_videos += _videos(shown, one, root, frames, progress)
    found = [*check_text.too_many(rows, settings.max_rejects), *found, *of_videos]
    found += check_videos.too_many(filmed, of_videos, frames.max_rejects)
    if any(item.check == "corpus" for item in found):
        return [], found
    lines = [row for row in rows if isinstance(row, Utterance)]
    found += check_leaks.within(lines, settings, cache)
    return (lines if settings.leak_rule() == "keep" else _settled(settings, cache)), found


def _rows(settings: IngestSettings, cache: Path) -> list[Utterance | Rejected] | None:
    """A corpus with its leaks; None for a demo that is not drawn yet, which would take a while."""
    if settings.corpus != "demo":
        plain = settings.model_copy(update={"leaks": "keep"})
        return list(ingest.run({}, plain, Context(cache=cache, folder=cache)))
    folder = _root(settings, cache)
    return list(demo.read(folder)) if folder and (folder / demo.TRANSCRIPT).is_file() else None


def _settled(settings: IngestSettings, cache: Path) -> list[Utterance]:
    """The lines without leaks; none where the leaks are refused."""
    try:
        rows = list(ingest.run({}, settings, Context(cache=cache, folder=cache)))
    except CorpusError:
        return []
    return [row for row in rows if isinstance(row, Utterance)]


def _videos(
    lines: Sequence[Utterance], settings: IngestSettings, root: Path, frames: KeyframesSettings, progress: Progress
) -> Iterator[Finding]:
    spoken = SPOKEN[settings.corpus](_folder(settings)) if settings.corpus in SPOKEN else {}
    return check_videos.all_of(lines, root, frames, spoken, whole=not settings.dialogues, progress=progress)


def _root(settings: IngestSettings, cache: Path) -> Path | None:
    identity = ingest.identity(settings) if settings.corpus == "demo" else {}
    return ingest.videos_root(settings, cache, identity)


def _folder(settings: IngestSettings) -> Path:
    return (settings.folder or Path()).expanduser()


def _lines_of_demo(settings: IngestSettings) -> int:
    from tasks.demo.script import load_script

    return sum(len(dialogue.lines) for dialogue in load_script()) if settings.corpus == "demo" else 0
