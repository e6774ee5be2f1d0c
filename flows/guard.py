"""The check before a run: what would stop it or lose lines beyond the limits stops it before anything is written.

Done where ingest is pending. After that its rows are in the lake and the planner knows the rest, so that a run that
goes on, or a nightly one with nothing to do, looks at the disk, and at whom the captioner knows. Prompts are not
counted here: to load a tokenizer takes longer than everything else of a text corpus; `dialoguellm check` counts them.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Sequence
from pathlib import Path

from flows.output import counted, printable
from flows.progress import counting
from flows.settings import found_at, read
from model.errors import RunFailed
from tasks.check import check, room
from tasks.check_text import Finding
from tasks.plan import Run
from tasks.stages import BY_NAME

FAULTY = 3
SHOWN = 5
STOPPING = frozenset({"corpus", "source", "captioner", "server", "disk", "leak", "too_many_rejects"})
NEEDED = {"train": {"finetune", "score"}, "test": {"evaluate"}}
"""Stages that cannot work without a line of a split."""


def guard(config: str, workspace: Path | None, overrides: Sequence[str], stages: Collection[str] | None = None) -> str:
    """One line on what is not quite right with the input of a run of ``stages`` (all if None), "" where all is well.

    Raises RunFailed, exit code 3, with the first findings that forbid the run; SettingsError as ``read`` does.
    """
    values, settings, source = read(config, overrides)
    layout, run = found_at(values, settings, source, workspace)
    chosen = {*(BY_NAME if stages is None else stages)}
    if not getattr(settings.get("evaluate"), "enabled", True):
        chosen -= {"evaluate"}
    with counting() as progress:
        if run and _ingested(run):
            found = room(run, chosen)
        else:
            found = check(settings, layout.cache, progress, run=run, stages=chosen, quick=True)
    typed = _typed(config, workspace, overrides)
    if any(stops(item, chosen) for item in found):
        errors = [item for item in found if item.level == "error"]
        errors.sort(key=lambda item: not stops(item, chosen))
        raise RunFailed(_refusal(values["name"], errors, typed), FAULTY)
    return _lesser(found, typed)


def stops(finding: Finding, stages: Collection[str]) -> bool:
    """Whether a run of ``stages`` would not get through, or not as it should."""
    if finding.check == "empty_split":
        return not NEEDED.get(finding.id.rpartition("/")[2], set()).isdisjoint(stages)
    return finding.level == "error" and finding.check in STOPPING


def _ingested(run: Run) -> bool:
    return run.shards() is not None


def _refusal(name: str, found: Sequence[Finding], typed: str) -> str:
    lines = [f"  {printable(item.check)}  {printable(item.id)}  {printable(item.detail)}" for item in found[:SHOWN]]
    lines += [f"  and {len(found) - SHOWN} more"] * (len(found) > SHOWN)
    head = f"{name}: {counted(len(found), 'error')} of the input, nothing was run and nothing written"
    return "\n".join([head, *lines, f"  all of them: {typed}", "  begin all the same: --no-check"])


def _lesser(found: Sequence[Finding], typed: str) -> str:
    errors, warnings = (sum(item.level == level for item in found) for level in ("error", "warning"))
    if not errors and not warnings:
        return ""
    return f"check: {counted(errors, 'error')} within the limits, {counted(warnings, 'warning')}; see {typed}"


def _typed(config: str, workspace: Path | None, overrides: Sequence[str]) -> str:
    words = ["dialoguellm", "check", config, *(["-w", str(workspace)] if workspace else [])]
    return shlex.join([*words, *(word for override in overrides for word in ("--set", override))])
