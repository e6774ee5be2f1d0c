"""Lines that would be trained on and tested on too: of one corpus against another, or within a joint one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from model.dialogue import Utterance
from model.errors import CorpusError
from tasks import ingest
from tasks.check_text import Finding, Level
from tasks.corpora.leaks import SAME, Rule, leaks
from tasks.ingest_settings import IngestSettings
from tasks.stage import Context

_SETTLED: dict[Rule, tuple[Level, str]] = {
    "drop": ("info", "; left out"),
    "refuse": ("error", '; a run stops, as ingest.leaks = "refuse"'),
    "keep": ("warning", '; do not score on what was trained: set ingest.leaks = "drop"'),
}
"""What becomes of a leak, by the rule."""


def within(lines: Sequence[Utterance], settings: IngestSettings, cache: Path) -> Iterator[Finding]:
    """Those of ``lines`` in train and dev that stand in a test split of the run, for each pair of corpora.

    As in a run, test lines count that are not among the chosen dialogues. Raises CorpusError where one cannot be read.
    """
    rule = settings.leak_rule()
    if settings.corpus == "demo" or (settings.corpus != "joint" and rule == "keep"):
        return
    every = _read([one.model_copy(update={"dialogues": {}}) for one in settings.corpora()], cache)
    corpora = list(dict.fromkeys(row.corpus for row in lines))
    for one in corpora:
        for split in ("train", "dev"):
            for other in corpora:
                level, hint = _SETTLED[rule]
                yield from _pair(_part(lines, one, split), _part(every, other, "test"), level, hint)


def against(settings: IngestSettings, other: IngestSettings, cache: Path) -> list[Finding]:
    """Training lines that stand in the other corpus's test split: told as one warning a pair, each of them as info."""
    if "demo" in (settings.corpus, other.corpus):
        return [Finding("error", "leak", "demo", "the demo has no lines of another corpus: compare two that are read")]
    try:
        mine, theirs = (_read(one.corpora(), cache) for one in (settings, other))
    except CorpusError as error:
        return [Finding("error", "corpus", other.corpus, str(error))]
    found: list[Finding] = []
    for one in settings.corpora():
        for two in other.corpora():
            train, test = _part(mine, one.label_set(), "train"), _part(theirs, two.label_set(), "test")
            pair = list(_pair(train, test, "warning", "; do not score on the one what the other trained"))
            nothing = f"no line of it stands in {two.label_set()}/test"
            found += pair or [Finding("info", "leak", f"{one.label_set()}/train", nothing)]
    return found


def _pair(train: Sequence[Utterance], test: Sequence[Utterance], level: Level, hint: str) -> Iterator[Finding]:
    found = leaks(train, test)
    if not found:
        return
    touched = len({line for lines in found.values() for line in lines})
    name = f"{test[0].corpus}/test"
    detail = f"{len(found)} of {len(train)} lines say what {touched} of {len(test)} lines of {name} say, {SAME}"
    yield Finding(level, "leak", f"{train[0].corpus}/{train[0].split}", detail + hint)
    for line, lines in found.items():
        yield Finding("info", "leak", line, f"stands in {', '.join(lines[:3])}")


def _part(lines: Sequence[Utterance], corpus: str, split: str) -> list[Utterance]:
    return [row for row in lines if (row.corpus, row.split) == (corpus, split)]


def _read(corpora: Sequence[IngestSettings], cache: Path) -> list[Utterance]:
    """All lines of every corpus, leaks and all; the files alone, no video is looked for."""
    context = Context(cache=cache, folder=cache)
    plain = [one.model_copy(update={"videos": None, "leaks": "keep"}) for one in corpora]
    return [row for one in plain for row in ingest.run({}, one, context) if isinstance(row, Utterance)]
