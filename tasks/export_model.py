"""export: a run's adapter as PEFT loads it, or merged into its base and checked against the adapter on dev lines."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from model import lora, packing, training_state, weight_files, weights
from model.atomic import new_folder, write_json
from model.dialogue import Instruction
from model.errors import SettingsError, TrainingError, WorkspaceError
from storage import findings, model_folders
from tasks import model_card
from tasks.export import Part, finished_shards, free_folder, read_shard
from tasks.finetune_settings import FinetuneSettings
from tasks.label_scoring import ScoredRow, score_rows
from tasks.parity import Parity, compare
from tasks.plan import Run, plan_stage
from tasks.publish import publish
from tasks.stage import Progress, no_progress
from tasks.stages import BY_NAME

ADAPTER = ("adapter_config.json", "adapter_model.safetensors")


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """``dtype``: the number format to store, "base" for that of the base model. ``lines`` dev lines are drawn by
    ``seed`` and answered by both models; no label's probability may differ by more than ``tolerance``."""

    dtype: lora.Dtype | Literal["base"] = "base"
    lines: int = 64
    tolerance: float = 0.05
    seed: int = 0


def export_adapter(run: Run, out: Path, progress: Progress = no_progress) -> list[Path]:
    """Writes ``out`` whole or not at all: the adapter as PEFT reads it, and its card. The files that it holds.

    Raises SettingsError for an ``out`` that holds anything, WorkspaceError where no adapter is finished, OSError
    where ``out`` cannot be written.
    """
    adapter, target = finished_adapter(run), free_folder(out, "--adapter")
    origin = weights.origin(_settings(run).model)
    data, _ = _data(run)
    base = weights.resolve(_settings(run).model, run.layout.cache, progress=progress)
    with new_folder(target) as work:
        shutil.copyfile(adapter / ADAPTER[1], work / ADAPTER[1])
        config = json.loads((adapter / ADAPTER[0]).read_text(encoding="utf-8"))
        config |= {"base_model_name_or_path": origin.name, "revision": origin.revision}
        write_json(work / ADAPTER[0], config)
        (work / "README.md").write_text(model_card.render(run, data, base), encoding="utf-8")
    return sorted(target.iterdir())


def export_merged(run: Run, out: Path, options: MergeOptions, progress: Progress = no_progress) -> Parity:
    """Writes the merged model into ``out``, whole or not at all, once it has answered dev lines as the adapter does.

    All is done on the CPU in float32, 4 bytes a parameter; what differs is the rounding to the stored format. Whether
    it passed or not, the check is put on record and published. Raises what ``export_adapter`` does, SettingsError for
    a base whose number format must be named, and TrainingError where the check fails.
    """
    adapter, target = finished_adapter(run), free_folder(out, "--merged")
    data, dev = _data(run)
    if not dev:
        raise WorkspaceError(f"{run.run_id} has no dev line to check the merged model on: give its corpus a dev split")
    rows = random.Random(options.seed).sample(dev, min(options.lines, len(dev)))
    base = weights.resolve(_settings(run).model, run.layout.cache, progress=progress)
    dtype = _dtype(base, options)
    with new_folder(target) as work:
        found = _merge(base, adapter, work, dtype, rows, options.tolerance, progress)
        about = {**asdict(found), "passed": found.passed, "dtype": dtype, "seed": options.seed}
        about["adapter_key"] = run.key(BY_NAME["finetune"])
        findings.record_export(run.layout, run.run_id, {**about, "folder": str(target)})
        publish(run)
        if not found.passed:
            raise TrainingError(_failure(run, found, dtype))
        write_json(work / "parity.json", about)
        (work / "README.md").write_text(model_card.render(run, data, base, found, dtype), encoding="utf-8")
    return found


def _merge(
    base: Path, adapter: Path, work: Path, dtype: lora.Dtype, rows: Sequence[Instruction], tolerance: float, report: Any
) -> Parity:
    def scored(model: Any, tokenizer: Any, step: int, what: str) -> list[ScoredRow]:
        report(step, 4, what)
        return score_rows(model, tokenizer, rows, share=packing.supported(model))

    model, tokenizer = lora.load(base, adapter, device="cpu")
    tuned = scored(model, tokenizer, 0, "the adapter answers")
    with lora.untuned(model) as plain:
        untuned = scored(plain, tokenizer, 1, "its base answers")
    report(2, 4, "merging")
    lora.merge(model, tokenizer, work, dtype)
    del model, plain
    return compare(tuned, scored(*lora.load(work, device="cpu"), 3, "the merged model answers"), untuned, tolerance)


def _failure(run: Run, found: Parity, dtype: str) -> str:
    other = found.utterances - found.agreeing
    again = "" if dtype == "float32" else "; store it with --dtype float32, or allow more with --tolerance"
    return (
        f"{run.run_id}: the merged model ({dtype}) does not answer as the adapter does: {other} of {found.utterances} "
        f"labels differ ({found.tied} of them ties), the largest gap of a probability is {found.largest_gap:.4f}, "
        f"{found.tolerance} is allowed. Nothing was written{again}"
    )


def _settings(run: Run) -> FinetuneSettings:
    values = run.settings["finetune"]
    assert isinstance(values, FinetuneSettings)
    return values


def finished_adapter(run: Run) -> Path:
    """The folder of the run's finished adapter. Raises WorkspaceError where there is none of today's base model."""
    stage = BY_NAME["finetune"]
    if run.keys["finetune"] is None:
        raise WorkspaceError(f"{run.run_id} has no adapter: finetune is off in it")
    if plan_stage(run, stage).pending:
        how = run.typed(f"rerun {run.run_id} --stage finetune")
        raise WorkspaceError(f"{run.run_id} has no finished adapter: `{how}` makes it")
    folder, model = model_folders.fetch(run.layout, run.layout.model(run.key(stage))), _settings(run).model
    if training_state.base_of(folder) != weights.identity(model):
        raise WorkspaceError(f"the adapter in {folder} was not trained on what {model} is today: run finetune again")
    missing = [name for name in ADAPTER if not (folder / "adapter" / name).is_file()]
    if missing:
        how = run.typed(f"rerun {run.run_id} --stage finetune --force")
        raise WorkspaceError(f"{folder / 'adapter' / missing[0]} is missing: `{how}` trains again")
    return folder / "adapter"


def _dtype(base: Path, options: MergeOptions) -> lora.Dtype:
    named = weight_files.dtype(base) or "float32" if options.dtype == "base" else options.dtype
    for known in ("float32", "bfloat16", "float16"):
        if named == known:
            return known
    raise SettingsError(f"the base model is stored as {named!r}: name another format with --dtype, such as bfloat16")


def _data(run: Run) -> tuple[list[Part], list[Instruction]]:
    """What the adapter learned from and was chosen by, counted, and the dev rows. Raises WorkspaceError."""
    parts, dev = [], []
    for split in ("train", "dev"):
        part, digest = Part(split, ""), hashlib.sha256()
        for shard in finished_shards(run, split):
            rows = read_shard(run, split, shard, part, digest)
            dev += [row for row in rows if split == "dev"]
        part.source = digest.hexdigest()
        parts.append(part)
    return parts, dev
