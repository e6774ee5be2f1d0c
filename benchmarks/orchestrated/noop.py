"""One flow in a process of its own, beside a server: our pipeline with stages that do nothing, or a task a clip.

python noop.py ours WORKSPACE UTTERANCES PER_SHARD     the real pipeline, driver, tasks and manifests; empty stages
python noop.py clips N                                 what people write first: one task a clip, mapped

Prints one JSON object: seconds (from the flow's start to its end), process_seconds (all of this process, imports
included), tasks, peak_mib (of this process).
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()
SPLITS = {"train": 0.729, "dev": 0.081, "test": 0.19}
"""Shares of MELD's 13,708 utterances."""
LINES = 10
"""Of a dialogue; MELD has 9.6."""


def ours(workspace: Path, utterances: int, per_shard: int) -> dict[str, Any]:
    """Drives a run of empty stages through Prefect; ``tasks`` are the shards done."""
    from prefect import flow

    import flows.pipeline as real
    from flows import stages
    from flows.settings import prepare
    from tasks.drive import Selection, drive

    install(utterances)
    overrides = [f"ingest.shard_utterances={per_shard}", "ingest.max_rejects=1"]
    run = prepare("demo", workspace=workspace, overrides=overrides)

    @flow(name="noop", task_runner=real.RUNNER, persist_result=False)
    def noop() -> int:
        return drive(run, Selection(), stages.execute, engine="prefect").shards

    started = time.perf_counter()
    done = noop()
    return {"seconds": time.perf_counter() - started, "tasks": done}


def install(utterances: int) -> None:
    """Puts empty stages in place of the real ones, wherever they are used."""
    from model.dialogue import Utterance
    from tasks import drive, plan, run, stages

    def corpus(_rows: Any, _settings: Any, _context: Any) -> Iterator[Utterance]:
        for split, share in SPLITS.items():
            for number in range(round(utterances * share)):
                dialogue, turn = divmod(number, LINES)
                where = ("demo", split, str(dialogue), turn, str(turn))
                yield Utterance(f"demo/{split}/{dialogue}/{turn}", *where, "Ana", "So?", "joy")

    def nothing(_rows: Any, _settings: Any, _context: Any) -> Iterator[Any]:
        yield from ()

    empty = tuple(
        replace(stage, run=nothing, totals=(), identity=lambda _settings: {}, apart=False, videos=False)
        if stage.name != "ingest"
        else replace(stage, run=corpus)
        for stage in stages.STAGES
    )
    stages.BY_NAME.update({stage.name: stage for stage in empty})
    stages._BY_TABLE.update({stage.writes: stage for stage in empty})
    for module in (stages, plan, run, drive):
        if hasattr(module, "STAGES"):
            module.STAGES = empty


def clips(count: int) -> dict[str, Any]:
    """A task for each clip, all submitted, then their results."""
    from prefect import flow, task

    @task
    def caption(clip: int) -> dict[str, Any]:
        return {"clip": clip, "caption": "a person smiles"}

    @flow(name="clips")
    def captions(number: int) -> int:
        return len([future.result() for future in caption.map(range(number))])

    started = time.perf_counter()
    done = captions(count)
    return {"seconds": time.perf_counter() - started, "tasks": done}


def main() -> None:
    what, *rest = sys.argv[1:]
    found = clips(int(rest[0])) if what == "clips" else ours(Path(rest[0]), int(rest[1]), int(rest[2]))
    found["process_seconds"] = time.perf_counter() - STARTED
    found["process_cpu"] = time.process_time()
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


if __name__ == "__main__":
    main()
