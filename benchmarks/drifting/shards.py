"""One run of many small shards in this process, watched: -m drifting.shards CONFIG WORKSPACE direct|prefect STAGES

Prints a JSON object: what was held by stage after warming up, at the end and at most.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

from drifting.watch import Watch, growth


def main() -> None:
    config, workspace, engine, stages = sys.argv[1:]
    chosen = tuple(stages.split(","))
    watch = Watch(Path(workspace))
    logger = logging.getLogger("tasks.run")
    logger.addHandler(watch)
    started = time.monotonic()
    if engine == "direct":
        from flows.direct import execute
        from flows.settings import prepare
        from tasks.drive import Selection, drive

        drive(prepare(config, workspace=Path(workspace)), Selection(stages=chosen), execute, engine=engine)
    else:
        from flows.parameters import PipelineRequest
        from flows.pipeline import pipeline

        pipeline(PipelineRequest(config=config, workspace=workspace, stages=list(chosen), check=False))
    found = {stage: growth(samples) for stage, samples in watch.samples.items() if len(samples) > 1}
    print(json.dumps({"seconds": time.monotonic() - started, "stages": found}))


if __name__ == "__main__":
    main()
