"""Two systems side by side as one HTML file: scores, labels, what flipped, settings, cost.

As a run's report the page holds no script and loads nothing; every text in it is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.emotions import labels
from storage import files, ledger
from storage.layout import Layout
from tasks import charts
from tasks.compare import Difference, Flips, Pair, flips
from tasks.comparison import Cost, Flip, SideBySide, costs, flipped, settings, side_by_side
from tasks.page import environment, p_value, percent, signed
from tasks.report_figures import Confusion, confusion_figure
from tasks.report_scores import NO_ANSWER, TITLES
from tasks.report_words import FEW_DIALOGUES, readings
from tasks.systems import Said

if TYPE_CHECKING:
    from markupsafe import Markup

SIDES = ("A", "B")
EXAMPLES = 12
SURE = 0.05


@dataclass(frozen=True, slots=True)
class Block:
    """What the page shows of one corpus. ``name`` is empty where there is no other."""

    name: str
    scores: list[tuple[Difference, SideBySide]]
    numbers: SideBySide
    labels: Markup
    confusions: list[tuple[str, Confusion]]
    flips: list[Flips]
    examples: list[Flip]


def write(layout: Layout, key: str, pairs: Sequence[Pair], found: Sequence[Difference], how: Mapping[str, int]) -> Path:
    """Writes the page beside the record of a comparison; ``how`` holds its ``resamples`` and ``seed``."""
    target = layout.comparisons / f"{key}.html"
    page = render(pairs, found, how).encode("utf-8", "replace")
    with files.replacing(layout, target) as temporary:
        temporary.write_bytes(page)
    return target


def render(pairs: Sequence[Pair], found: Sequence[Difference], how: Mapping[str, int]) -> str:
    """The page of two systems, pairs and differences by corpus. Whatever a run lacks is left out and said so."""
    first, second = pairs[0].first, pairs[0].second
    spent = costs(first.run, second.run)
    several = len(pairs) > 1
    return (
        environment()
        .get_template("comparison.html.jinja")
        .render(
            sides=[_side(name, one) for name, one in zip(SIDES, (first, second), strict=True)],
            split=pairs[0].split,
            how=how,
            leads=[_lead([row for row in found if row.corpus == pair.corpus], named=several) for pair in pairs],
            notes=_notes(pairs, found),
            readings=_readings(first, second),
            blocks=[_block(pair, found, how, named=several) for pair in pairs],
            settings=settings(first.run, second.run),
            one_run=first.run.run_id == second.run.run_id,
            costs=spent,
            totals=_totals(spent),
        )
    )


def _side(name: str, side: Said) -> dict[str, Any]:
    record = side.run.record
    about = {"name": name, "title": TITLES.get(side.system, side.system), "run_id": side.run.run_id}
    return {**about, "source": record.get("source"), "git_commit": record.get("git_commit")}


def _block(pair: Pair, found: Sequence[Difference], how: Mapping[str, int], *, named: bool) -> Block:
    from markupsafe import Markup

    numbers = side_by_side(pair, how["resamples"], how["seed"])
    of = f" of {pair.corpus}" if named else ""
    alt = (
        f"Difference of F1{of} for each of {len(numbers.labels)} labels, A less B, as bars with their 95 % intervals; "
        "the numbers are in the table that follows"
    )
    drawn = charts.differences(
        [one.label for one in numbers.labels],
        [one.support for one in numbers.labels],
        [one.difference for one in numbers.labels],
        [one.bounds for one in numbers.labels],
        alt,
    )
    return Block(
        name=pair.corpus if named else "",
        scores=[(row, numbers) for row in found if row.corpus == pair.corpus],
        numbers=numbers,
        labels=Markup(drawn),
        confusions=[(name, _confusion(pair.corpus, numbers, side, of)) for side, name in enumerate(SIDES)],
        flips=flips(pair),
        examples=flipped(pair, EXAMPLES),
    )


def _confusion(corpus: str, numbers: SideBySide, side: int, of: str) -> Confusion:
    """A side's counts; labels that occur on neither side are left out, so that both have the same rows and columns."""
    names, both = labels(corpus), numbers.counts.sum(0)
    kept = [place for place in range(len(names)) if both[place].sum() + both[:, place].sum()]
    columns = [*kept, *([len(names)] if both[:, -1].any() else [])]
    said = [*names, NO_ANSWER]
    counts = [[int(numbers.counts[side, gold, place]) for place in columns] for gold in kept]
    return confusion_figure(
        [names[place] for place in kept], [said[place] for place in columns], counts, f"{of}, {SIDES[side]}"
    )


def _lead(found: Sequence[Difference], *, named: bool) -> str:
    """What the accuracy of both says, and whether it could be chance."""
    row = next(one for one in found if one.metric == "accuracy")
    of = f"{row.corpus} {row.split}" if named else row.split
    bounds = f" [{signed(row.low)}, {signed(row.high)}]" if row.low is not None else ""
    text = (
        f"On the same {row.utterances:,} {of} lines A is right on {percent(row.first_value)}\u00a0% and B on "
        f"{percent(row.second_value)}\u00a0%: a difference of {signed(row.difference)} points{bounds}."
    )
    sure = row.low is not None and row.high is not None and (row.low > 0 or row.high < 0) and row.swap_p < SURE
    if sure:
        return f"{text} Chance seldom makes one as large (p\u00a0=\u00a0{p_value(row.swap_p)}, swapping dialogues)."
    return f"{text} These lines cannot tell the two apart; a difference of {percent(row.detectable)} points they would."


def _notes(pairs: Sequence[Pair], found: Sequence[Difference]) -> list[str]:
    notes = []
    for pair in pairs:
        if any(pair.left_out):
            ours, theirs = pair.left_out
            notes.append(f"Left out of {pair.corpus}: {ours:,} lines that A alone has, {theirs:,} that B alone has.")
    if few := [row for row in found if row.metric == "accuracy" and row.dialogues < FEW_DIALOGUES]:
        notes.append(
            f"Few dialogues ({', '.join(f'{row.dialogues:,}' for row in few)}): the intervals and p are too sure of "
            "themselves; swap p is right for few too."
        )
    return notes


def _readings(first: Said, second: Said) -> list[str]:
    """How often each side's adapter read test; once where it is the same one."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, side in zip(SIDES, (first, second), strict=True):
        run = side.run
        reads = ledger.test_reads(run.layout, run.run_id, run.keys["finetune"])
        whose = (run.keys["finetune"] or run.run_id, readings({**run.record, "test_readings": reads}))
        found.setdefault(whose, []).append(name)
    return [f"{' and '.join(names)}: {text}" for (_, text), names in found.items() if text]


def _totals(spent: Sequence[Cost]) -> dict[str, Any]:
    """Seconds of work that each run rests on, and of both, what they share once."""
    ours, theirs = (sum(one.seconds[side] or 0.0 for one in spent) for side in range(2))
    shared = sum(one.seconds[0] or 0.0 for one in spent if one.shared)
    return {"sides": [ours, theirs], "both": ours + theirs - shared, "shared": shared}
