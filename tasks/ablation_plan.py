"""What the runs of a grid share: shards needed in all, how many of them are different ones, and how many are done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.plan import Run, done
from tasks.stages import STAGES


@dataclass(frozen=True, slots=True)
class StageShare:
    """One stage of all runs. ``keys`` are its different results; of ``needed`` shards ``distinct`` are different ones.

    ``waiting`` counts runs whose shards ingest has not cut yet: theirs are in none of the counts of shards.
    """

    stage: str
    runs: int
    keys: int
    needed: int
    distinct: int
    done: int
    waiting: int

    @property
    def shared(self) -> int:
        return self.needed - self.distinct

    @property
    def pending(self) -> int:
        return self.distinct - self.done


def sharing(runs: Sequence[Run]) -> list[StageShare]:
    """The stages that any of the runs has, in order. Runs share what has the same key, with other runs too."""
    found = []
    for stage in STAGES:
        own = [run for run in runs if run.keys[stage.name]]
        first = {run.keys[stage.name]: run for run in own}
        cut = [run for run in own if run.shards_of(stage) is not None]
        known = {key: run for key, run in first.items() if run.shards_of(stage) is not None}
        if own:
            found.append(
                StageShare(
                    stage.name,
                    len(own),
                    len(first),
                    sum(len(run.shards_of(stage) or ()) for run in cut),
                    sum(len(run.shards_of(stage) or ()) for run in known.values()),
                    sum(done(run, stage) or 0 for run in known.values()),
                    len(own) - len(cut),
                )
            )
    return found
