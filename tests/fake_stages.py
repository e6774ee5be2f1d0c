"""A small pipeline of real generators over real Parquet, for tests of the planner, the driver and the publisher.

ingest (cuts shards) → captions (a shard each) → finetune (a unit; train and dev only) → evaluate (test only)
→ score → report. Every stage notes the utterances that it was handed in ``SEEN``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flows.direct import execute
from model.dialogue import Caption, Metric, Prediction, Rejected, ReportFile, TrainingStep, Utterance
from model.errors import CorpusError
from storage.layout import Layout, open_workspace
from tasks import stages
from tasks.drive import Outcome, Selection, drive
from tasks.ingest_settings import IngestSettings
from tasks.plan import Run, resolve
from tasks.stage import Context, Rows, Stage, StageSettings

SEEN: dict[str, list[str]] = {}


class Ingest(IngestSettings):
    """The demo's settings, without its pictures."""

    lines: int = 3
    shard_utterances: int = 6
    reject: tuple[str, ...] = ()
    model: str = ""


class Captions(StageSettings):
    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"broken"})

    enabled: bool = True
    prompt: str = "plain"
    reject: tuple[str, ...] = ()
    broken: tuple[int, ...] = ()
    model: str = "vlm"
    seed: int = 0


class Plain(StageSettings):
    model: str = "lm"
    seed: int = 0


class Score(Plain):
    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"f1"})

    f1: float | None = None


def ingest(rows: Rows, settings: Ingest, context: Context) -> Iterator[Utterance | Rejected]:  # noqa: ARG001
    for split, dialogues in (settings.dialogues or {"train": 4, "dev": 1, "test": 2}).items():
        for dialogue in range(dialogues):
            for turn in range(settings.lines):
                name = f"fake/{split}/{dialogue}/{turn}"
                if name in settings.reject:
                    yield Rejected(name, "ingest", "empty_text", "the line has no text")
                else:
                    where = ("fake", split, str(dialogue), turn, str(turn))
                    yield Utterance(name, *where, "Ana", f"line {turn}", "joy" if turn else "anger")


def captions(rows: Rows, settings: Captions, context: Context) -> Iterator[Caption | Rejected]:
    see("captions", rows["utterances"])
    if context.shard in settings.broken:
        raise RuntimeError(f"shard {context.shard} is broken")
    for row in rows["utterances"]:
        if row.utterance_id in settings.reject:
            yield Rejected(row.utterance_id, "captions", "no_frames", "the video has no frames")
        else:
            text = f"{settings.prompt} {row.text}"
            yield Caption(row.utterance_id, text, settings.model, "1", settings.prompt, 1, 2, (), 0.0)


def finetune(rows: Rows, settings: Plain, context: Context) -> Iterator[TrainingStep]:  # noqa: ARG001
    see("finetune", [*rows["captions"], *rows["utterances"], *rows.get("rejects", ())])
    context.folder.mkdir(parents=True, exist_ok=True)
    (context.folder / "adapter").write_text("weights")
    yield TrainingStep(1, 1.0, 0.5, 0.1, 1.0, len(rows["captions"]), 0.0)


def evaluate(rows: Rows, settings: Plain, context: Context) -> Iterator[Prediction]:  # noqa: ARG001
    see("evaluate", rows["captions"])
    assert (context.folders["finetune"] / "adapter").read_text() == "weights"
    for row in rows["utterances"]:
        yield Prediction(row.utterance_id, "tuned", row.emotion, "joy", {"joy": 1.0}, "joy", 0.0)


def score(rows: Rows, settings: Score, context: Context) -> Iterator[Metric]:  # noqa: ARG001
    right = [row.gold == row.predicted for row in rows["predictions"]]
    yield Metric("demo", "test", "tuned", "accuracy", None, None, sum(right) / len(right), 0.5, 0.801)
    yield Metric("demo", "test", "tuned", "support", None, None, float(len(right)))
    if settings.f1 is not None:
        yield Metric("demo", "test", "tuned", "weighted_f1", None, None, settings.f1)
        yield Metric("demo", "test", "majority", "weighted_f1", None, None, 0.1)


def report(rows: Rows, settings: Plain, context: Context) -> Iterator[ReportFile]:  # noqa: ARG001
    see("report", [*rows["utterances"], *rows["rejects"]])
    context.folder.mkdir(parents=True, exist_ok=True)
    page = context.folder / "index.html"
    page.write_text(str(context.about["run_id"]))
    yield ReportFile(page.name, page.stat().st_size, "0" * 64)


def see(stage: str, rows: Sequence[Any]) -> None:
    SEEN.setdefault(stage, []).extend(row.utterance_id for row in rows)


def source(settings: Ingest) -> Mapping[str, str]:
    if settings.model == "missing":
        raise CorpusError("no such corpus")
    return {"demo": "abc"}


LEARN, TEST = frozenset({"train", "dev"}), frozenset({"test"})
BOTH = ("captions", "utterances")
STAGES = (
    Stage("ingest", 1, "utterances", Utterance, Ingest, ingest, unit=True, identity=source),
    Stage("captions", 1, "captions", Caption, Captions, captions, ("utterances",)),
    Stage(
        "finetune",
        1,
        "training_log",
        TrainingStep,
        Plain,
        finetune,
        ("captions", "utterances"),
        splits=LEARN,
        unit=True,
    ),
    Stage(
        "evaluate",
        1,
        "predictions",
        Prediction,
        Plain,
        evaluate,
        ("captions", "utterances"),
        ("finetune",),
        splits=TEST,
    ),
    Stage("score", 1, "metrics", Metric, Score, score, ("predictions",), unit=True),
    Stage("report", 1, "reports", ReportFile, Plain, report, ("utterances", "metrics"), unit=True),
)


def install(monkeypatch: pytest.MonkeyPatch, pipeline: Sequence[Stage] = STAGES, *, publishing: bool = False) -> None:
    """Puts these stages in place of the real ones wherever they are used; most tests need no database."""
    from flows import read_commands, run_commands, settings
    from tasks import drive, plan, run

    SEEN.clear()
    for looked_at in ("check", "room"):  # these stages have no corpus and no weights to look at
        monkeypatch.setattr(f"flows.guard.{looked_at}", lambda *_, **__: [])
    if not publishing:
        monkeypatch.setattr(drive, "publish", lambda _run: None)
    for module in (stages, plan, run, drive, settings, run_commands):
        monkeypatch.setattr(module, "STAGES", tuple(pipeline), raising=False)
    for module in (stages, run, drive, settings, run_commands, read_commands):
        monkeypatch.setattr(module, "BY_NAME", {stage.name: stage for stage in pipeline}, raising=False)
    monkeypatch.setattr(stages, "_BY_TABLE", {stage.writes: stage for stage in pipeline})


def make(root: Path, name: str = "fake", **settings: Mapping[str, Any]) -> Run:
    """The run of these settings, by stage name."""
    layout = open_workspace(root / "workspace", create=True)
    values = {stage.name: stage.settings.model_validate(settings.get(stage.name, {})) for stage in stages.STAGES}
    return resolve(name, layout, values, "fake.toml")


def go(run: Run, selection: Selection | None = None) -> Outcome:
    """Drives the run in this process."""
    return drive(run, selection or Selection(), execute, engine="direct")


def lake(layout: Layout) -> dict[str, bytes]:
    """Every Parquet file of the lake."""
    return {
        str(path.relative_to(layout.lake)): path.read_bytes() for path in sorted(layout.lake.rglob("part-*.parquet"))
    }
