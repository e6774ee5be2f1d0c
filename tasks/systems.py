"""What every system of a finished run said of each line: its models, and the floors, which are learned again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from model.dialogue import Prediction, Utterance
from model.errors import CorpusError, SettingsError, WorkspaceError
from tasks.corrections import corrected
from tasks.floors import FLOORS, floors
from tasks.plan import Run, plan_stage
from tasks.run import ShardRows
from tasks.score import ScoreSettings
from tasks.stages import BY_NAME
from tasks.tally import Answers, answers_of


@dataclass(frozen=True, slots=True)
class Said:
    """What one system of a run said of a split, by utterance, and the gold labels of those lines."""

    run: Run
    system: str
    gold: dict[str, str]
    answers: Answers

    @property
    def name(self) -> str:
        return f"{self.run.run_id}:{self.system}"


class Systems:
    """The systems of a run on a split, each read or learned when it is asked for.

    Raises WorkspaceError where the run has no predictions of that split.
    """

    def __init__(self, run: Run, split: str) -> None:
        rows = ShardRows(run, BY_NAME["score"], 0)
        self._run = run
        stage = BY_NAME["evaluate" if split == "test" else "calibrate"]
        if not run.keys[stage.name]:
            raise WorkspaceError(
                f"{run.run_id} did not score the {split} split: run it with --set {stage.name}.enabled=true"
            )
        if plan_stage(run, stage).pending:
            again = run.typed(f"rerun {run.run_id} --stage {stage.name} --downstream")
            raise WorkspaceError(f"{run.run_id} has not done {stage.name} yet: `{again}`")
        self._predictions: list[Prediction] = [*rows[stage.writes]]
        if not self._predictions:
            raise WorkspaceError(f"{run.run_id} predicted no line of the {split} split; see what {stage.name} rejected")
        self._utterances: Sequence[Utterance] = rows["utterances"]
        score = run.settings["score"]
        assert isinstance(score, ScoreSettings)
        dev = rows["dev_predictions"]
        self._predictions += corrected(self._predictions, dev, self._utterances, score.prior, score.biases)[0]
        self._gold = {row.utterance_id: row.emotion for row in self._utterances}
        self._models = answers_of(self._predictions)

    def names(self) -> list[str]:
        """The models, what the run is about first, then the floors."""
        models = sorted(self._models, key=lambda name: (name != "tuned", name != "untuned", name))
        return [*models, *(FLOORS if any(row.split == "train" for row in self._utterances) else ())]

    def said(self, system: str | None = None) -> Said:
        """What a system said, by default the first of ``names``. Raises SettingsError where there is no such system."""
        known = self.names()
        system = system or known[0]
        if system not in known:
            raise SettingsError(f"{self._run.run_id} has no system {system}: it has {', '.join(known)}")
        answers: Answers = self._models.get(system) or self._floor(system)
        if lost := [name for name in answers if name not in self._gold]:
            raise CorpusError(f"{self._run.run_id} predicted {lost[0]}, which its corpus lacks: run evaluate again")
        return Said(self._run, system, {name: self._gold[name] for name in answers}, answers)

    def _floor(self, system: str) -> Answers:
        scored = {row.utterance_id for row in self._predictions}
        found: dict[str, str] = {}
        for corpus in dict.fromkeys(row.corpus for row in self._utterances):
            lines = [row for row in self._utterances if row.corpus == corpus]
            found |= floors(lines, scored, [system]).get(system, {})
        return found
