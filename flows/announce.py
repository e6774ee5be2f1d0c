"""Events that automations can wait for: what a flow run scored, and that weighted F1 fell."""

from __future__ import annotations

from typing import Any

from prefect.events import emit_event

from tasks.headline import Headline, headlines
from tasks.plan import Run

SCORED = "dialoguellm.scored"
FELL = "dialoguellm.weighted-f1.fell"


def announce(run: Run, f1_drop: float) -> list[Headline]:
    """Emits ``dialoguellm.scored`` for each system that the last attempt scored, and ``dialoguellm.weighted-f1.fell``
    where that is more than ``f1_drop`` (0 to 1) below the last comparable score; returns those that fell."""
    fell = []
    for line in headlines(run):
        about = resource(run, line)
        payload: dict[str, Any] = {
            "run_id": run.run_id,
            "utterances": line.utterances,
            "weighted_f1": round(line.weighted_f1, 6),
            "previous": line.previous,
            "previous_f1": None if line.previous_f1 is None else round(line.previous_f1, 6),
            "change": None if line.change is None else round(line.change, 6),
        }
        emit_event(SCORED, about, payload=payload)
        if line.change is not None and -line.change > f1_drop:
            emit_event(FELL, about, payload={**payload, "allowed": f1_drop, "said": said(line)})
            fell.append(line)
    return fell


def said(line: Headline) -> str:
    """One line in points of a hundred."""
    before = 100 * (line.previous_f1 or 0.0)
    now = 100 * line.weighted_f1
    where = f"{line.system} on {line.corpus} {line.split}"
    return f"weighted F1 of {where} fell from {before:.1f} to {now:.1f} ({now - before:+.1f}) since {line.previous}"


def resource(run: Run, line: Headline) -> dict[str, str]:
    """What the event is about; automations match these labels."""
    return {
        "prefect.resource.id": f"dialoguellm.run.{run.run_id}",
        "prefect.resource.name": run.run_id,
        "dialoguellm.name": run.name,
        "dialoguellm.corpus": line.corpus,
        "dialoguellm.split": line.split,
        "dialoguellm.system": line.system,
    }
