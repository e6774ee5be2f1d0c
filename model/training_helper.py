"""A helper of a training run (training_processes.py): ``python -m model.training_helper PLACE``."""

from __future__ import annotations

import json
import os
import sys
import threading
from dataclasses import fields
from pathlib import Path
from typing import Any

from model import lora, training_group, weights
from model.errors import DialogueError
from model.packing import Item, supported
from model.training_group import Lost, Meeting, Place
from model.training_plan import Example, TrainOptions
from model.training_processes import STOP, Job, flat, gradient_of_share, put
from model.training_workers import LOST


def work(place: Place) -> None:
    """Computes gradients of this process's share until it is told to stop. Raises Lost where nobody can tell it."""
    import torch

    meeting = Meeting(place.meet)
    job = job_of(meeting.hear("job"))
    model = _model(job, place)
    meeting.say(f"ready/{place.rank}")
    with training_group.joined(place, meeting):
        examples = [example_of(one) for one in json.loads(training_group.tell())]
        while True:
            head = torch.zeros(3, dtype=torch.long)
            training_group.send(head)
            step, size, n_rows = head.tolist()
            if step == STOP:
                return
            numbers, adapter = torch.zeros(n_rows, dtype=torch.long), flat(model)
            training_group.send(numbers, adapter)
            put(model, adapter)
            rows = [examples[number] for number in numbers.tolist()]
            training_group.add_up(gradient_of_share(model, rows, job, size, step, place.rank))


def _model(job: Job, place: Place) -> Any:
    import torch

    torch.set_num_threads(job.threads)
    device = f"cuda:{place.local}" if torch.cuda.is_available() else "cpu"
    folder = weights.resolve(job.base, Path(place.cache))
    base, _ = lora.load(folder, device=device, precision=job.precision, quantize=job.quantize)
    if job.share:
        supported(base)  # registers the attention that shares
    model = lora.attach(base, job.adapter, job.base)
    if job.recompute:
        lora.recompute(model)
    return model


def job_of(text: str) -> Job:
    """What the process that trains has written."""
    found: dict[str, Any] = json.loads(text)
    found["adapter"] = lora.LoraOptions(**found["adapter"])
    found["options"] = TrainOptions(**found["options"])
    return Job(**{field.name: found[field.name] for field in fields(Job)})


def example_of(found: dict[str, Any]) -> Example:
    item = Item(tuple(found["item"]["prompt"]), tuple(map(tuple, found["item"]["answers"])))
    return Example(**{**found, "item": item, "offsets": tuple(found["offsets"])})


def _end_with_parent() -> None:
    """Waits for the end of the standard input, which the process that started this one holds open, whatever it dies
    of."""
    os.read(0, 1)
    os._exit(1)


def main() -> None:
    place = Place(**json.loads(sys.argv[1]))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work(place)
    except DialogueError as error:
        raise SystemExit(str(error)) from error
    except Lost as error:
        print(f"the other processes are gone: {error}", file=sys.stderr, flush=True)
        os._exit(LOST)
    os._exit(0)  # there is nothing to tidy up, and gloo's threads abort where the other side has closed


if __name__ == "__main__":
    main()
