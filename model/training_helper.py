"""A helper of a training run (training_processes.py): ``python -m model.training_helper FOLDER RANK``."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

from model import lora
from model.errors import DialogueError
from model.packing import Item, supported
from model.training_plan import Example, TrainOptions
from model.training_processes import STOP, Job, flat, gradient_of_share, join, put, send


def work(folder: Path, rank: int) -> None:
    """Computes gradients of this process's share until it is told to stop, or the process that asks is gone."""
    import torch

    job, examples = read(folder / "job.json")
    torch.set_num_threads(job.threads)
    device = f"cuda:{rank}" if torch.cuda.is_available() else "cpu"
    base, _ = lora.load(Path(job.base), device=device, precision=job.precision, quantize=job.quantize)
    if job.share:
        supported(base)  # registers the attention that shares
    model = lora.attach(base, job.adapter, job.base)
    if job.recompute:
        lora.recompute(model)
    (folder / f"ready-{rank}").touch()
    join(folder, rank, job.processes)
    while True:
        head = torch.zeros(3, dtype=torch.long)
        send(head)
        step, size, n_rows = head.tolist()
        if step == STOP:
            return
        numbers, adapter = torch.zeros(n_rows, dtype=torch.long), flat(model)
        send(numbers, adapter)
        put(model, adapter)
        rows = [examples[number] for number in numbers.tolist()]
        torch.distributed.reduce(gradient_of_share(model, rows, job, size, step, rank), 0)


def read(path: Path) -> tuple[Job, list[Example]]:
    """What the process that trains has written."""
    found: dict[str, Any] = json.loads(path.read_text())
    examples = [_example(one) for one in found.pop("examples")]
    found["adapter"] = lora.LoraOptions(**found["adapter"])
    found["options"] = TrainOptions(**found["options"])
    return Job(**{field.name: found[field.name] for field in fields(Job)}), examples


def _example(found: dict[str, Any]) -> Example:
    item = Item(tuple(found["item"]["prompt"]), tuple(map(tuple, found["item"]["answers"])))
    return Example(**{**found, "item": item, "offsets": tuple(found["offsets"])})


def _end_with_parent() -> None:
    """Waits for the end of the standard input, which the process that trains holds open, whatever it dies of."""
    os.read(0, 1)
    os._exit(1)


def main() -> None:
    folder, rank = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(Path(folder), int(rank))
    except DialogueError as error:
        raise SystemExit(str(error)) from error
    os._exit(0)  # there is nothing to tidy up, and gloo's threads abort where the other side has closed


if __name__ == "__main__":
    main()
