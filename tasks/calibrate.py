"""calibrate: the probability of every label for each dev row, so that nothing need be fitted on test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from model.dialogue import Prediction, Rejected
from tasks import evaluate
from tasks.evaluate_settings import EvaluateSettings
from tasks.stage import Context, Rows, Stage


class CalibrateSettings(EvaluateSettings):
    """How the dev rows are scored: as the test rows are; what is not set here is what [evaluate] says."""

    enabled: bool = False
    """Score the dev rows too; the score stage then fits a correction on them (score.prior) and shows what it does."""

    untuned: bool = False
    """Score the base model without the adapter as well."""

    def key_fields(self) -> dict[str, Any]:
        """As evaluate's; ``enabled`` always was in this one."""
        return {**super().key_fields(), "enabled": self.enabled}


def run(rows: Rows, settings: CalibrateSettings, context: Context) -> Iterator[Prediction | Rejected]:
    """A Prediction per dev row and system. Raises and rejects what evaluate does."""
    yield from evaluate.predictions(rows, settings, context, stage=STAGE.name)


STAGE = Stage(
    name="calibrate",
    version=2,
    reads=("instructions",),
    after=("finetune",),
    writes="dev_predictions",
    row=Prediction,
    settings=CalibrateSettings,
    run=run,
    splits=frozenset({"dev"}),
    identity=evaluate.identity,
    totals=("n_prompt_tokens", "n_tokens"),
    gpu=True,
    apart=True,
)
