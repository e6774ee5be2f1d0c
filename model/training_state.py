"""What a training run leaves on disk, and what a later one takes from it.

<folder>/checkpoints/    while it runs (checkpoints.py)
<folder>/adapter/        when it is done
<folder>/training.json   last: what the run was made of, its base weights and its log
<folder>/set-aside/<n>/  the same of runs of other options, rows or weights that lay here: nothing is ever removed
"""

from __future__ import annotations

import hashlib
import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any

from model import atomic, checkpoints, lora
from model.dialogue import TrainingStep
from model.errors import TrainingError
from model.training_plan import Example, TrainOptions

log = logging.getLogger(__name__)


Made = dict[str, Any]
"""What decides a run: its options by name, its base weights, and a digest of its rows."""


@dataclass(slots=True)
class State:
    """Steps done and the log's rows; the best dev score so far (the lower the better) and epochs since then.

    ``micro_batch`` is set once memory has run out.
    """

    step: int = 0
    best: float = math.inf
    stale: int = 0
    micro_batch: int | None = None
    log: list[dict[str, Any]] = field(default_factory=list)


def base_of(folder: Path) -> str | None:
    """Identity of the base weights that the finished run in ``folder`` was trained on, None if there is no such run."""
    return checkpoints.read_json(folder / "training.json").get("base")


def made_of(examples: Sequence[Example], options: TrainOptions, base: str) -> Made:
    """What a checkpoint must share with a run that goes on from it."""
    free = ("micro_batch", "checkpoint_every", "keep_checkpoints")
    fixed = {name: value for name, value in asdict(options).items() if name not in free}
    rows = hashlib.sha256()
    for example in examples:
        rows.update(repr(astuple(example)).encode())
    return {**fixed, "base": base, "rows": f"{len(examples)} rows, {rows.hexdigest()[:16]}"}


def resume(folder: Path, made: Made, model: Any, optimizer: Any) -> State:
    """Set adapter and optimizer to the last checkpoint made of the same; whatever else lies here is set aside."""
    done = checkpoints.read_json(folder / "training.json").get("made_of", made)
    if done != made:
        _set_aside(folder, ("adapter", "training.json"), done, made)
    other: Made = {}
    for path in reversed(checkpoints.steps(folder / "checkpoints")):
        state = checkpoints.read_json(path / "state.json")
        if bad := checkpoints.damaged(path) or ("" if state else "state.json"):
            log.warning("%s of %s is not what was written: training goes on from the checkpoint before", bad, path)
        elif state.get("made_of") == made:
            checkpoints.restore(path, model, optimizer)
            return State(**{name: value for name, value in state.items() if name != "made_of"})
        else:
            other = other or state.get("made_of", {})
    if other:
        _set_aside(folder, ("checkpoints",), other, made)
    return State()


def _set_aside(folder: Path, names: Sequence[str], old: Made, new: Made) -> None:
    """Move them to a numbered folder of their own, and say what they were made of that is not so now."""
    number = len(list(folder.glob("set-aside/*"))) + 1
    place = folder / "set-aside" / str(number)
    place.mkdir(parents=True)
    for name in names:
        if (folder / name).exists():
            (folder / name).rename(place / name)
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    what = ", ".join(f"{name}: {old.get(name)!r} → {new.get(name)!r}" for name in changed)
    log.warning("%s of another run are set aside in %s (%s); training begins anew", " and ".join(names), place, what)


def finished(folder: Path, made: Made) -> list[TrainingStep] | None:
    """The log of a finished run made of the same, None if there is none."""
    found = checkpoints.read_json(folder / "training.json")
    if found.get("made_of") != made or not (folder / "adapter" / "adapter_model.safetensors").is_file():
        return None
    return steps_of(found["log"])


def steps_of(log: Sequence[dict[str, Any]]) -> list[TrainingStep]:
    return [TrainingStep(**row) for row in log]


def finish(model: Any, folder: Path, record: dict[str, Any], *, best: bool) -> None:
    """Put the adapter in place, then say so in training.json, then drop the checkpoints: a kill loses nothing."""
    chosen, numbers = folder / "checkpoints" / "best", "adapter_model.safetensors"
    bad = checkpoints.damaged(chosen) if (chosen / numbers).is_file() else numbers
    if best and bad:
        raise TrainingError(
            f"{chosen / bad} is not what was written, and it is the best adapter: delete {chosen.parent}, and run again"
        )

    def fill(work: Path) -> None:
        if best:
            shutil.copytree(chosen, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns(checkpoints.DIGESTS))
        else:
            lora.save(model, work)

    atomic.replace_folder(folder / "adapter", fill)
    atomic.write_json(folder / "training.json", record)
    shutil.rmtree(folder / "checkpoints", ignore_errors=True)
