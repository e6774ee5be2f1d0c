"""The gallery's pages as HTML: lists of dialogues, one dialogue, one line."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from markupsafe import Markup

from model.dialogue import corpus_of
from model.emotions import labels
from tasks.explain_store import kept
from tasks.gallery.filter import PER_PAGE, Filter
from tasks.gallery.links import Links
from tasks.gallery.snapshot import Snapshot
from tasks.page import environment
from tasks.report_scores import TITLES

FOLDER = Path(__file__).parent
MAX_ROWS = 6
"""Lines that a list shows of one dialogue."""


class Pages:
    """Renders a snapshot. Every text of the lake is escaped; the only script is the one in gallery.js."""

    def __init__(self, snapshot: Snapshot, links: Links) -> None:
        self.snapshot, self.links = snapshot, links
        self._templates = environment(FOLDER)
        self._templates.filters.update(percent=_percent, title=lambda name: TITLES.get(name, name))
        self._style = Markup(self._templates.get_template("gallery.css.jinja").render())
        self._script = Markup((FOLDER / "gallery.js").read_text())
        forms = "'self'" if links.searchable else "'none'"
        self.policy = (
            f"default-src 'none'; img-src 'self' data:; style-src {_hash(self._style)}; "
            f"script-src {_hash(self._script)}; form-action {forms}; base-uri 'none'"
        )

    def listing(self, wanted: Filter) -> str:
        """A page of the dialogues that a filter finds."""
        found = self.snapshot.dialogues(wanted)
        asked = wanted.model_dump()
        pages = {
            name: self.links.listing({**asked, "page": page})
            for name, page in (("prev", wanted.page - 1), ("next", wanted.page + 1))
            if 1 <= page <= found.pages
        }
        return self._render("listing", found=found, wanted=wanted, pages=pages, per_page=PER_PAGE, max_rows=MAX_ROWS)

    def dialogue(self, dialogue: str, system: str = "") -> str | None:
        """One dialogue as a conversation; None where the run has none of that name."""
        rows = self.snapshot.lines(dialogue)
        if not rows:
            return None
        shown = self.snapshot.system(system)
        lines = [{**row, **_said(row, shown)} for row in rows]
        before, after = self.snapshot.beside(dialogue)
        return self._render("dialogue", dialogue=dialogue, lines=lines, system=shown, before=before, after=after)

    def utterance(self, utterance_id: str) -> str | None:
        """One line with all that is known of it; None where the run has none of that id."""
        dialogue = self.snapshot.dialogue_of(utterance_id)
        if dialogue is None:
            return None
        rows = self.snapshot.lines(dialogue)
        place = next(number for number, row in enumerate(rows) if row["utterance_id"] == utterance_id)
        ids = [row["utterance_id"] for row in rows]
        row, run = rows[place], self.snapshot.run
        shown = self.snapshot.system("")
        return self._render(
            "utterance",
            line={**row, **_said(row, shown)},
            dialogue=dialogue,
            earlier=rows[max(0, place - 4) : place],
            before=ids[place - 1] if place else None,
            after=ids[place + 1] if place + 1 < len(ids) else None,
            labels=list(labels(corpus_of(utterance_id))),
            instruction=self.snapshot.instruction(utterance_id),
            explained=kept(run.layout, run.run_id, utterance_id),
            how=run.typed(f"explain {run.run_id} {utterance_id}"),
            keys={name: key for name, key in run.keys.items() if key},
        )

    def refused(self, what: str) -> str:
        """A page that says why there is nothing to see."""
        return self._render("refused", what=what)

    def _render(self, name: str, **values: Any) -> str:
        snapshot = self.snapshot
        return self._templates.get_template(f"{name}.html.jinja").render(
            links=self.links,
            style=self._style,
            script=self._script,
            policy=self.policy,
            run=snapshot.run,
            against=snapshot.against,
            choices=snapshot.choices,
            missing=snapshot.missing,
            **values,
        )


def _said(row: Mapping[str, Any], system: str) -> dict[str, Any]:
    """What a system says of a line: ``said``, ``verdict`` and ``change``, each None where it says nothing."""
    said = next((one for one in row["predictions"] if one["system"] == system), None)
    before = next((one for one in row["others"] if one["system"] == system), None)
    if said is None:
        return {"said": None, "verdict": None, "change": None, "before_said": before}
    right = said["predicted"] == row["gold"]
    change = None
    if before is not None and before["predicted"] != said["predicted"]:
        change = "gained" if right else "lost" if before["predicted"] == row["gold"] else "moved"
    verdict = "right" if right else "unparsed" if said["predicted"] is None else "wrong"
    return {"said": said, "verdict": verdict, "change": change, "before_said": before}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}"


def _hash(text: str) -> str:
    """The source of a Content-Security-Policy that allows just this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
