"""From a TOML configuration to the settings of every stage; shows every error at once.

A configuration names the run and has one table per stage. ``model`` and ``seed`` at the top are handed to every
stage that has such a setting and does not set it itself. Paths are relative to the current directory.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from flows import run_settings
from flows.output import counted
from model import toml_text
from model.errors import DialogueError, SettingsError
from storage import ledger
from storage.layout import Layout, at, exists, open_workspace
from tasks.ingest_settings import IngestSettings
from tasks.plan import Run, resolve
from tasks.stage import SECRET, StageSettings
from tasks.stages import BY_NAME, STAGES

TOP = ("name", "workspace", "model", "seed", "run")


def prepare(config: str, *, workspace: Path | None = None, overrides: Sequence[str] = (), create: bool = True) -> Run:
    """The run of a configuration (a path, or the name of a shipped one). Raises SettingsError with all faults.

    Without ``create`` a workspace that is not there yet is taken as empty and is not made.
    """
    values, settings, source = read(config, overrides)
    root = workspace or Path(values.get("workspace", "workspace"))
    layout = at(root)
    if create or exists(layout):
        layout = open_workspace(root, create=create)
    run = resolve(values["name"], layout, settings, source)
    run.record.update(machine=ledger.machine(), git_commit=git_commit(), runner=dict(values.get("run") or {}))
    return run


def found_at(
    values: Mapping[str, Any], settings: Mapping[str, StageSettings], source: str, workspace: Path | None
) -> tuple[Layout, Run | None]:
    """The workspace's layout, which need not be there, and the run in it; None where a source cannot be had."""
    layout = at(workspace or Path(values.get("workspace", "workspace")))
    try:
        return layout, resolve(values["name"], layout, settings, source)
    except DialogueError:
        return layout, None


def read(config: str, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, StageSettings], str]:
    """A configuration's values, its settings by stage name, and where it lies. Raises SettingsError with all faults.

    Looks at nothing that the settings name.
    """
    text, source = _read(config)
    values = toml_text.loads(text, source)
    if "base" in values:
        raise SettingsError(f"{source} is a grid of runs: `dialoguellm ablation {config}` runs it")
    for override in overrides:
        _apply(values, override)
    return values, validate(values, source), source


def validate(values: Mapping[str, Any], source: str) -> dict[str, StageSettings]:
    """Settings by stage name. Raises SettingsError listing every fault with its key and what is allowed."""
    faults = _faults_at_top(values)
    good = {key: value for key, value in values.items() if not _fault_at_top(key, value)}
    settings: dict[str, StageSettings] = {}
    for stage in STAGES:
        table = values.get(stage.name, {})
        if not isinstance(table, Mapping):
            faults.append(f"{stage.name}: must be a table, written [{stage.name}]")
            continue
        shared: dict[str, Any] = {
            key: good[key] for key in ("model", "seed") if key in good and key in stage.settings.model_fields
        }
        if stage.name == "captions":
            shared.pop("model", None)  # the captioner is another model than the language model
        if stage.name == "calibrate":
            shared = {**shared, **_as_evaluate(values)}
        try:
            settings[stage.name] = stage.settings.model_validate({**shared, **table})
        except ValidationError as error:
            own = [item for item in error.errors() if stage.name != "calibrate" or item["loc"][0] in table]
            faults.extend(_explain(stage.name, stage.settings, item) for item in own)
    faults += _unlike(settings)
    if faults:
        raise SettingsError(f"{source} has {counted(len(faults), 'fault')}:\n  " + "\n  ".join(faults))
    return _text_only(settings)


def _as_evaluate(values: Mapping[str, Any]) -> dict[str, Any]:
    """How evaluate scores test is how calibrate scores dev, but for what each chooses to score."""
    asked = values.get("evaluate", {})
    apart = ("enabled", "untuned", "share", "max_rejects")
    return {key: value for key, value in asked.items() if key not in apart} if isinstance(asked, Mapping) else {}


def _unlike(settings: Mapping[str, StageSettings]) -> list[str]:
    """Faults of stages that would have to do with the same model and do not: a tuned one and one on a server, a
    correction that would be fitted on other scores than it is applied to."""
    fitted, applied = settings.get("calibrate"), settings.get("evaluate")
    if getattr(applied, "server", None) and getattr(settings.get("finetune"), "enabled", False):
        return ["finetune.enabled: must be false with evaluate.server, which runs a model that is not tuned here"]
    if not getattr(fitted, "enabled", False):
        return []
    return [
        f"calibrate.{name}: must be what evaluate.{name} is; leave it out"
        for name in ("model", "method", "normalise")
        if getattr(fitted, name, None) != getattr(applied, name, None)
    ]


def _text_only(settings: dict[str, StageSettings]) -> dict[str, StageSettings]:
    """A corpus without videos has no keyframes and no captions; the report says so."""
    corpus = settings["ingest"]
    if isinstance(corpus, IngestSettings) and not corpus.has_videos():
        for name in ("keyframes", "captions"):
            settings[name] = settings[name].model_copy(update={"enabled": False})
    return settings


def shipped() -> dict[str, str]:
    """The configurations that come with the program: name to TOML text."""
    found = files("configs").iterdir()
    return {item.name.removesuffix(".toml"): item.read_text("utf-8") for item in found if item.name.endswith(".toml")}


def _read(config: str) -> tuple[str, str]:
    path = Path(config)
    known = shipped()
    if config in known and not path.is_file():
        return known[config], config
    try:
        return toml_text.read(path), str(path.resolve())
    except FileNotFoundError:
        if files("configs").joinpath("ablation", f"{config}.toml").is_file():
            raise SettingsError(f"{config} is a grid of runs: `dialoguellm ablation {config}` runs it") from None
        raise SettingsError(
            f"no configuration {config!r}: give the path of a TOML file or one of {', '.join(sorted(known))}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{config} cannot be read: {error}") from error


def _apply(values: dict[str, Any], override: str) -> None:
    """One ``--set captions.model=…``; the value is TOML, or else taken as a plain string.

    A table of a list goes by its number, from 0: ``--set ingest.parts.0.folder=…``.
    """
    path, equals, text = override.partition("=")
    if not equals:
        raise SettingsError(f"--set {override}: write it as key=value, for example captions.prompt=facial-cues")
    value = toml_text.value(text)
    *tables, key = path.strip().split(".")
    target: Any = values
    for name in tables:
        if isinstance(target, list):
            target = target[int(name)] if name.isdecimal() and int(name) < len(target) else None
        else:
            target = target.setdefault(name, {})
        if not isinstance(target, dict | list):
            raise SettingsError(f"--set {override}: {name} is not a table")
    if not isinstance(target, dict):
        raise SettingsError(f"--set {override}: {tables[-1]} is a list of tables: name one by its number, from 0")
    target[key] = value


def _faults_at_top(values: Mapping[str, Any]) -> list[str]:
    known = (*TOP, *BY_NAME)
    faults = [f"{key}: unknown; allowed are {', '.join(known)}" for key in values if key not in known]
    name = values.get("name")
    if not isinstance(name, str) or not ledger.safe_name(name):
        faults.append("name: needed, 1 to 64 letters, digits, '-', '_' or '.', beginning with a letter or digit")
    faults += run_settings.faults(values["run"]) if "run" in values else []
    return faults + [fault for key, value in values.items() if (fault := _fault_at_top(key, value))]


def _fault_at_top(key: str, value: Any) -> str | None:
    """What is wrong with the type of ``workspace``, ``model`` or ``seed``."""
    if key in ("workspace", "model") and not isinstance(value, str):
        return f"{key}: must be a string, not {value!r}"
    if key == "seed" and type(value) is not int:  # true and false are int too
        return f"{key}: must be a whole number, not {value!r}"
    return None


def _explain(section: str, model: type[StageSettings], item: Any) -> str:
    key = ".".join([section, *map(str, item["loc"])])
    if item["type"] == "extra_forbidden":
        return f"{key}: unknown; allowed are {', '.join(model.model_fields)}"
    if item["type"] == SECRET:
        return f"{key}: {item['msg']}"
    return f"{key}: {item['msg']} (found {item['input']!r})"


def git_commit() -> str | None:
    """The commit of the program's own checkout, None where it was installed without one."""
    here = Path(__file__).parent
    command = ["git", "-C", str(here), "rev-parse", "--show-prefix", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    except (OSError, subprocess.CalledProcessError):  # no git, no checkout, no commit yet
        return None
    # an environment inside somebody else's checkout is further down: its commit is not ours
    return found[1] if found[0] == f"{here.name}/" else None
