"""What `explain` found, kept beside the run's record, so that the gallery shows it without a model."""

from __future__ import annotations

from dataclasses import asdict

from pydantic import TypeAdapter

from storage import files, sealed
from storage.layout import Layout
from tasks.explain import Explained


def keep(layout: Layout, found: Explained) -> None:
    """Writes it in place of what was found before of the same line."""
    files.write_json(layout, layout.explanation(found.run_id, found.utterance.utterance_id), asdict(found))


def kept(layout: Layout, run_id: str, utterance_id: str) -> Explained | None:
    """What was found last; None where nothing was, or where the file is not one that ``keep`` wrote."""
    try:
        path = files.local(layout, layout.explanation(run_id, utterance_id))
        found = TypeAdapter(Explained).validate_python(sealed.loads(path.read_bytes()))
    except (OSError, ValueError):
        return None
    return found if (found.run_id, found.utterance.utterance_id) == (run_id, utterance_id) else None
