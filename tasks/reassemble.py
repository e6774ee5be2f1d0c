"""A split's prompts with other descriptions: by the instructions stage itself, from captions that are changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from model.dialogue import Caption, Instruction, Rejected, Utterance
from model.errors import SettingsError, WorkspaceError
from storage.shards import read_rows
from storage.tables import each_row
from tasks.export import finished_shards
from tasks.instructions import STAGE, InstructionsSettings
from tasks.plan import Run
from tasks.run import ShardRows
from tasks.stage import Context


@dataclass(frozen=True, slots=True)
class SplitRows:
    """What the prompts of a split are made of. ``shards`` are its shards' numbers, ``captions`` by utterance id."""

    run: Run
    split: str
    shards: tuple[int, ...]
    rows: tuple[ShardRows, ...]
    utterances: tuple[Utterance, ...]
    captions: dict[str, Caption]


def read_split(run: Run, split: str) -> SplitRows:
    """Raises SettingsError where the run's prompts hold no descriptions, WorkspaceError where prompts are missing."""
    settings = _settings(run)
    if not settings.described() or not run.keys["captions"]:
        raise SettingsError(
            f"{run.run_id}'s prompts hold no description of a video (captions.enabled, instructions.description and "
            "instructions.preset decide): name a run whose prompts do"
        )
    shards = tuple(finished_shards(run, split))
    rows = tuple(ShardRows(run, STAGE, shard) for shard in shards)
    utterances = tuple(row for part in rows for row in part["utterances"])
    captions = {row.utterance_id: row for part in rows for row in part["captions"]}
    return SplitRows(run, split, shards, rows, utterances, captions)


def prompts(split: SplitRows, descriptions: Mapping[str, str]) -> list[Instruction]:
    """The split's rows of instructions had its captions said ``descriptions`` (by utterance id; none: no caption).

    Raises WorkspaceError where the captions as they are no longer give the prompts that are stored.
    """
    settings = _settings(split.run)
    context = Context(cache=split.run.layout.cache, folder=split.run.layout.model(split.run.key(STAGE)))
    found: list[Instruction] = []
    for rows in split.rows:
        captions = [
            replace(row, text=descriptions[row.utterance_id])
            for row in rows["captions"]
            if row.utterance_id in descriptions
        ]
        given = {"utterances": rows["utterances"], "captions": captions}
        given |= {"examples": rows["examples"]} if settings.shots else {}
        found += (row for row in each_row(Instruction, STAGE.run(given, settings, context)) if _made(row))
    return found


def as_they_are(split: SplitRows) -> list[Instruction]:
    """The stored prompts of the split, which the captions as they are must still give, byte for byte."""
    key = split.run.key(STAGE)
    stored = [row for shard in split.shards for row in read_rows(split.run.layout, STAGE.writes, key, shard)]
    again = prompts(split, {name: row.text for name, row in split.captions.items()})
    if again != stored:
        one = next((a.utterance_id for a, b in zip(again, stored, strict=False) if a != b), "one that is not in both")
        how = split.run.typed(f"run {split.run.record['source']}")
        raise WorkspaceError(
            f"{split.run.run_id}: today's program does not make the prompts that it was tuned on (the first that "
            f"differs: {one}): `{how}` makes a run whose prompts are today's"
        )
    return stored


def _settings(run: Run) -> InstructionsSettings:
    settings = run.settings["instructions"]
    assert isinstance(settings, InstructionsSettings)
    return settings


def _made(row: Instruction | Rejected) -> bool:
    return isinstance(row, Instruction)


def train_rows(run: Run) -> tuple[Sequence[Utterance], dict[str, Caption]]:
    """The train lines and their captions by utterance id."""
    train = read_split(run, "train")
    return train.utterances, train.captions
