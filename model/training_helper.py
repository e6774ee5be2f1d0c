"""A helper of a training run (training_processes.py): ``python -m model.training_helper PLACE``."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from model import lora, sharded_base, training_group, weights
from model.errors import DialogueError
from model.packing import Item, supported
from model.training_group import Lost, Meeting, Place
from model.training_plan import Example, TrainOptions
from model.training_processes import PASS, STOP, Job, flat, gradient_of_share, noticing_in_model, put
from model.training_workers import LOST


def work(place: Place) -> None:
    """Computes gradients of this process's share until it is told to stop. Raises Lost where nobody can tell it."""
    import torch

    meeting = Meeting(place.meet)
    job = job_of(meeting.hear("job"))
    device = f"cuda:{place.local}" if torch.cuda.is_available() else "cpu"
    model = _model(job, place, device)
    meeting.say(f"ready/{place.rank}")
    backend = sharded_base.backends(device) if job.shard else "gloo"
    with training_group.joined(place, meeting, backend), noticing_in_model(job):
        examples = [example_of(one) for one in json.loads(training_group.tell())]
        if job.shard:
            sharded_base.share_out(model, device)
        while _next(model, examples, job, place):
            pass


def _next(model: Any, examples: Sequence[Example], job: Job, place: Place) -> bool:
    """Does what process 0 asks for; False where that is to stop."""
    import torch

    head = torch.zeros(3, dtype=torch.long)
    training_group.send(head)
    step, size, n_rows = head.tolist()
    if step == STOP:
        return False
    if step == PASS:
        sharded_base.pass_through(model)
        return True
    numbers, adapter = torch.zeros(n_rows, dtype=torch.long), flat(model)
    training_group.send(numbers, adapter)
    put(model, adapter)
    rows = [examples[number] for number in numbers.tolist()]
    training_group.add_up(gradient_of_share(model, rows, job, size, step, place.rank))
    return True


def _model(job: Job, place: Place, device: str) -> Any:
    import torch

    torch.set_num_threads(job.threads)
    folder = weights.resolve(job.base, Path(place.cache))
    where, precision = sharded_base.load_where(device, job.precision) if job.shard else (device, job.precision)
    base, _ = lora.load(folder, device=where, precision=precision, quantize=job.quantize)
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
