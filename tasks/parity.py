"""Does a merged model answer as the adapter did? Both score the same dev lines, and their scores are compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.label_scoring import ScoredRow


@dataclass(frozen=True, slots=True)
class Parity:
    """Of ``utterances`` dev lines ``agreeing`` get the same label from both. ``largest_gap`` is the largest difference
    of a label's probability (0 to 1) between the two, ``effect`` that between the adapter and its base: what the merge
    must carry over. ``tied`` of the other lines are ties: the adapter itself had both labels within ``tolerance``.
    """

    utterances: int
    agreeing: int
    tied: int
    largest_gap: float
    effect: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """No probability differs by more than the tolerance, and no label but those of ties."""
        return self.largest_gap <= self.tolerance and self.agreeing + self.tied == self.utterances


def compare(
    tuned: Sequence[ScoredRow], merged: Sequence[ScoredRow], base: Sequence[ScoredRow], tolerance: float
) -> Parity:
    """The same lines in the same order, at least one, scored by the adapter, the merged model and the base alone."""
    pairs = [(ours.scored, theirs.scored) for ours, theirs in zip(tuned, merged, strict=True)]
    other = [(ours.probabilities, theirs.best) for ours, theirs in pairs if ours.best != theirs.best]
    tied = sum(max(ours) - ours[theirs] <= tolerance for ours, theirs in other)
    agreeing = len(pairs) - len(other)
    return Parity(len(pairs), agreeing, tied, _gap(tuned, merged), _gap(tuned, base), tolerance)


def _gap(some: Sequence[ScoredRow], others: Sequence[ScoredRow]) -> float:
    """The largest difference of a probability; infinite where one is no number."""
    pairs = zip(some, others, strict=True)
    found = [abs(x - y) for a, b in pairs for x, y in zip(a.scored.probabilities, b.scored.probabilities, strict=True)]
    return max(found) if all(gap == gap for gap in found) else float("inf")
