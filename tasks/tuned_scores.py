"""A finished run's tuned model, as evaluate loads it, for prompts that evaluate has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from model import lora, packing, weights
from model.dialogue import Instruction
from model.errors import TrainingError
from tasks.evaluate_settings import EvaluateSettings
from tasks.export_model import finished_adapter
from tasks.finetune_settings import FinetuneSettings
from tasks.label_scoring import ScoredRow, score_rows
from tasks.plan import Run
from tasks.stage import Progress, no_progress


def score(run: Run, rows: Sequence[Instruction], progress: Progress = no_progress) -> list[ScoredRow]:
    """``rows`` in their order, scored by the run's adapter on its base with the settings of its evaluate stage.

    Labels are scored, whatever ``evaluate.method`` and ``evaluate.server`` say, and a prompt that comes more than once
    is scored once. Raises WorkspaceError where no adapter is finished, TrainingError where a score is not finite.
    """
    import torch

    adapter, settings, trained = finished_adapter(run), run.settings["evaluate"], run.settings["finetune"]
    assert isinstance(settings, EvaluateSettings)
    assert isinstance(trained, FinetuneSettings)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    once = {(row.utterance_id, row.prompt): row for row in rows}
    done = 0

    def report(more: int) -> None:
        nonlocal done
        done += more
        progress(done, len(once), "prompts scored")

    model, tokenizer = lora.load(weights.resolve(trained.model, run.layout.cache, progress=progress), adapter)
    how = {"share": packing.supported(model), "normalise": settings.normalise, "batch_size": settings.batch_size}
    scored = score_rows(model, tokenizer, list(once.values()), progress=report, **how)  # type: ignore[arg-type]
    for one in scored:
        if not all(map(isfinite, one.scored.probabilities)):
            raise TrainingError(
                f"{run.run_id}: the scores of {one.row.utterance_id} are not finite; "
                "train it again with a lower finetune.learning_rate"
            )
    found = dict(zip(once, scored, strict=True))
    return [found[row.utterance_id, row.prompt] for row in rows]
