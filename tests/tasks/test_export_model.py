"""What is exported of a run's adapter: PEFT loads it, and a merged model answers as it does or is not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from exported_run import finished, rows_of, write_instructions
from finished_run import ask
from safetensors import safe_open
from tuned_run import base_of, tuned

from model import lora, weight_files, weights
from model.dialogue import Prediction
from model.errors import SettingsError, TrainingError, WorkspaceError
from storage import findings
from tasks import evaluate, export_model
from tasks.export_model import MergeOptions, export_adapter, export_merged
from tasks.label_scoring import score_rows
from tasks.plan import Run, load
from tasks.publish import rebuild
from tasks.stage import Context
from tasks.stages import BY_NAME

pytestmark = pytest.mark.usefixtures("one_thread")
DEV = rows_of("dev", 2)


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Read-only but for its exports."""
    return tuned(tmp_path_factory.mktemp("tuned"), tiny_model)


def adapter_of(run: Run) -> Path:
    return run.layout.model(run.key(BY_NAME["finetune"])) / "adapter"


def probabilities(model: Any, tokenizer: Any) -> list[float]:
    return [p for one in score_rows(model, tokenizer, DEV, share=False) for p in one.scored.probabilities]


def with_peft(base: Path, adapter: Path) -> list[float]:
    """As a reader of the card does it, with neither our loader nor our settings."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter).eval()
    return probabilities(model, AutoTokenizer.from_pretrained(base))


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft's own, see model/lora.py
def test_peft_loads_the_adapter_unchanged(run: Run, tmp_path: Path) -> None:
    files = export_adapter(run, tmp_path / "out")
    names = ["README.md", "adapter_config.json", "adapter_model.safetensors"]
    assert [path.name for path in files] == names == sorted(path.name for path in (tmp_path / "out").iterdir())
    ours = probabilities(*lora.load(base_of(run), adapter_of(run), device="cpu"))
    assert with_peft(base_of(run), tmp_path / "out") == pytest.approx(ours, abs=1e-6)
    assert probabilities(*lora.load(base_of(run), device="cpu")) != pytest.approx(ours, abs=1e-2)


def test_its_configuration_has_the_form_that_servers_ask_for(run: Run, tmp_path: Path) -> None:
    export_adapter(run, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["peft_type"], config["bias"]) == (4, 32, "LORA", "none")
    assert config["modules_to_save"] is None
    assert not config["use_dora"]
    assert not config["use_rslora"]
    layers = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    assert isinstance(config["target_modules"], list)
    assert {name.rpartition(".")[2] for name in config["target_modules"]} == layers
    assert config["base_model_name_or_path"] == base_of(run).name  # no path of the machine
    assert str(base_of(run).parent) not in (tmp_path / "out" / "adapter_config.json").read_text()
    with safe_open(tmp_path / "out" / "adapter_model.safetensors", framework="np") as tensors:
        ends = {name.removeprefix("base_model.model.model.layers.0.").partition(".")[2] for name in tensors.keys()}  # noqa: SIM118
    assert ends == {f"{layer}.lora_{side}.weight" for layer in layers for side in "AB"}


@pytest.mark.parametrize(("dtype", "stored", "most"), [("base", "float32", 1e-5), ("bfloat16", "bfloat16", 0.02)])
def test_the_merged_model_answers_as_the_adapter_does(
    run: Run, tmp_path: Path, dtype: Any, stored: str, most: float
) -> None:
    told: list[str] = []
    found = export_merged(run, tmp_path / "out", MergeOptions(dtype), lambda _done, _total, what: told.append(what))
    assert (found.utterances, found.agreeing) == (3, 3)
    assert found.largest_gap <= most < found.effect
    assert told == ["the adapter answers", "its base answers", "merging", "the merged model answers"]
    assert weight_files.dtype(tmp_path / "out") == stored
    weight_files.check(tmp_path / "out")
    ours = probabilities(*lora.load(base_of(run), adapter_of(run), device="cpu"))
    assert probabilities(*lora.load(tmp_path / "out", device="cpu")) == pytest.approx(ours, abs=most)
    assert json.loads((tmp_path / "out" / "parity.json").read_text())["largest_gap"] == found.largest_gap


def test_the_merged_folder_is_a_model_like_any_other(run: Run, tmp_path: Path) -> None:
    export_merged(run, tmp_path / "out", MergeOptions())
    made = str(tmp_path / "out")
    assert weights.identity(made) == weights.identity(made)
    rows = rows_of("test", 3)
    plain = evaluate.STAGE.run(
        {"instructions": rows}, evaluate.EvaluateSettings(model=made), Context(tmp_path, tmp_path)
    )
    folders = {"finetune": adapter_of(run).parent}
    settings = evaluate.EvaluateSettings(model=str(base_of(run)), untuned=False)
    ours = evaluate.STAGE.run({"instructions": rows}, settings, Context(tmp_path, tmp_path, folders))
    for merged, adapter in zip(plain, ours, strict=True):
        assert isinstance(merged, Prediction)
        assert merged.scores == pytest.approx(adapter.scores, abs=1e-5)
        assert merged.predicted == adapter.predicted


def test_the_lines_are_drawn_by_the_seed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def seen(model: Any, tokenizer: Any, rows: Any, **given: Any) -> Any:
        asked.append([row.utterance_id for row in rows])
        return score_rows(model, tokenizer, rows, **given)

    monkeypatch.setattr(export_model, "score_rows", seen)
    for place, seed in enumerate((0, 0, 1, 2, 3)):
        export_merged(run, tmp_path / str(place), MergeOptions(lines=2, seed=seed))
    drawn = asked[::3]
    assert asked == [lines for lines in drawn for _ in range(3)]
    assert drawn[0] == drawn[1]
    assert len({tuple(lines) for lines in drawn}) > 1
    assert all(len({*lines}) == 2 and all("/dev/" in name for name in lines) for lines in drawn)


def test_a_merge_that_answers_otherwise_leaves_nothing_but_its_record(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tuned(tmp_path, tiny_model)
    real = lora.merge

    def wrong(model: Any, *given: Any) -> None:
        for name, parameter in lora.trainable(model) or model.named_parameters():
            if "lora_B" in name:
                parameter.data *= -20
        real(model, *given)

    monkeypatch.setattr(lora, "merge", wrong)
    with pytest.raises(TrainingError, match=r"does not answer as the adapter does: \d of 3 labels differ"):
        export_merged(run, tmp_path / "out", MergeOptions())
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]
    monkeypatch.undo()
    export_merged(run, tmp_path / "out", MergeOptions())
    rows = "SELECT export, passed, utterances, largest_gap <= tolerance, dtype, folder, adapter_key FROM exports"
    key, folder = run.key(BY_NAME["finetune"]), str(tmp_path / "out")
    expected = [(1, False, 3, False, "float32", folder, key), (2, True, 3, True, "float32", folder, key)]
    assert ask(run.layout, rows) == expected
    before = ask(run.layout, "FROM exports ORDER BY export")
    rebuild(run.layout)
    assert ask(run.layout, "FROM exports ORDER BY export") == before
    assert [one["export"] for one in findings.exports(run.layout, run.run_id)] == [1, 2]
    assert load(run.layout, run.run_id).run_id == run.run_id


def test_a_killed_merge_leaves_nothing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(lora, "merge", stop)
    with pytest.raises(KeyboardInterrupt):
        export_merged(run, tmp_path / "out", MergeOptions())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(
    params=[export_adapter, lambda run, out: export_merged(run, out, MergeOptions())], ids=["adapter", "merged"]
)
def export(request: pytest.FixtureRequest) -> Iterator[Any]:
    return request.param


def test_nothing_is_written_over(run: Run, tmp_path: Path, export: Any) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(SettingsError, match=r"--(adapter|merged): .* is not an empty folder: name another"):
        export(run, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_without_an_adapter_the_line_that_makes_it_is_named(tmp_path: Path, tiny_model: Path, export: Any) -> None:
    model = {"model": str(tiny_model)}
    run = finished(tmp_path, finetune=model, evaluate=model)
    with pytest.raises(
        WorkspaceError, match=f"no finished adapter: `dialoguellm rerun {run.run_id} --stage finetune -w"
    ):
        export(run, tmp_path / "out")
    off = finished(tmp_path / "off", finetune={"enabled": False})
    with pytest.raises(WorkspaceError, match="finetune is off"):
        export(off, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_adapter_of_other_weights_is_refused(run: Run, tiny_qwen2: Path, tmp_path: Path, export: Any) -> None:
    settings = run.settings["finetune"].model_copy(update={"model": str(tiny_qwen2)})
    other = replace(run, settings={**run.settings, "finetune": settings})
    with pytest.raises(WorkspaceError, match=r"was not trained on what .* is today"):
        export(other, tmp_path / "out")


def test_without_dev_lines_nothing_is_merged(tmp_path: Path, tiny_model: Path) -> None:
    run = tuned(tmp_path, tiny_model)
    write_instructions(run, 2, [])
    with pytest.raises(WorkspaceError, match="no dev line to check the merged model on"):
        export_merged(run, tmp_path / "out", MergeOptions())


def test_a_base_in_a_format_of_its_own_must_be_told_another(run: Run, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(weight_files, "dtype", lambda _folder: "float8_e4m3fn")
    with pytest.raises(SettingsError, match="stored as 'float8_e4m3fn': name another format with --dtype"):
        export_merged(run, tmp_path / "out", MergeOptions())
