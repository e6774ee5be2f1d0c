"""What the flows are asked for: the forms of Prefect's UI, and the checks of what is filled in or typed.

Prefect makes a form of each model: its fields' docstrings are the help, its bounds, patterns and lists of names are
what the server refuses a run for.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.errors import SettingsError
from tasks import stages as known_stages
from tasks.drive import Selection

NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"
SETTING = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)* *="
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$"


ALL = "all"
_NAMES = tuple(known_stages.BY_NAME)


def _of_a_stage(name: str) -> str:
    if name not in known_stages.BY_NAME:
        raise ValueError(f"no stage is called {name}: the stages are {', '.join(known_stages.BY_NAME)}")
    return name


def _of_a_stage_or_all(name: str) -> str:
    return name if name == ALL else _of_a_stage(name)


StageName = Annotated[str, AfterValidator(_of_a_stage), Field(json_schema_extra={"enum": [*_NAMES]})]
StageOrAll = Annotated[str, AfterValidator(_of_a_stage_or_all), Field(json_schema_extra={"enum": [ALL, *_NAMES]})]
Shard = Annotated[int, Field(ge=0, le=9_999_999)]


class Parameters(BaseModel):
    """Base of what a flow is asked for."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class PipelineRequest(Parameters):
    """Which configuration is to be run, and how much of it. What is finished is not done again."""

    config: str = Field(pattern=NO_CONTROLS, min_length=1, max_length=1000, examples=["demo", "configs/meld.toml"])
    """Path of a TOML configuration, or demo, meld, emorynlp, iemocap or joint."""
    workspace: str = Field(default="", pattern=NO_CONTROLS, max_length=1000)
    """Folder of the workspace. Empty: the configuration's own."""
    overrides: list[Annotated[str, Field(pattern=SETTING, max_length=10_000)]] = Field(
        default=[], max_length=200, examples=[["captions.prompt=facial-cues"]]
    )
    """Single settings as KEY=VALUE, for example captions.prompt=facial-cues."""
    stages: list[StageName] = Field(default=[], max_length=50)
    """Only these stages. Empty: all."""
    check: bool = True
    """Look at the input before ingest, and stop where the run could not succeed."""
    f1_drop: float = Field(default=0.02, ge=0, le=1)
    """A fall of weighted F1 by more than this is announced as an event (0.02: two points of a hundred)."""
    reason: str = Field(default="run", pattern=NO_CONTROLS, min_length=1, max_length=1000)
    """Why it is run, as the attempt's record and each reading of the test split tell it."""


class GridRequest(Parameters):
    """Which grid of runs is to be run, and which part of it. What is finished is not done again."""

    config: str = Field(pattern=NO_CONTROLS, min_length=1, max_length=1000, examples=["demo-grid"])
    """Path of a grid's TOML file, or the name of a shipped one; with seeds a configuration."""
    workspace: str = Field(default="", pattern=NO_CONTROLS, max_length=1000)
    """Folder of the workspace. Empty: the grid's own."""
    overrides: list[Annotated[str, Field(pattern=SETTING, max_length=10_000)]] = Field(default=[], max_length=200)
    """Single settings as KEY=VALUE that hold for every cell."""
    only: list[Annotated[str, Field(pattern=NO_CONTROLS, max_length=200)]] = Field(default=[], max_length=200)
    """Cells, by name or pattern: meld, context-*. Empty: all."""
    test: str = Field(default="", pattern=NO_CONTROLS, max_length=10_000)
    """Whose test split is read afterwards: chosen, all, or cells separated by commas. Empty: none."""
    seeds: list[Annotated[int, Field(ge=0)]] = Field(default=[], max_length=200)
    """Seeds of training of one configuration, in place of a grid; each run reads the test split."""
    yes: bool = False
    """Begin a grid of more than 200 runs."""
    check: bool = True
    """Look at the input before ingest, and leave out what could not succeed."""


class RerunRequest(Parameters):
    """Which part of a recorded run is to be taken up again: what is pending of it, with force what is finished too."""

    run: str = Field(pattern=NAME, examples=["demo", "demo-7f55ba"])
    """A run's id, or a configuration's name for its last run."""
    workspace: str = Field(default="workspace", pattern=NO_CONTROLS, min_length=1, max_length=1000)
    """Folder of the workspace."""
    stage: StageOrAll = ALL
    """What is pending of this stage; all: everything of the run that is pending, as rerun --failed."""
    downstream: bool = False
    """Of that stage and of all after it."""
    shards: list[Shard] = Field(default=[], max_length=100_000)
    """Only these shards, for example 3 and 17. Empty: all."""
    force: bool = False
    """Do finished shards again too."""
    dry_run: bool = False
    """Show what would be done, do nothing."""
    f1_drop: float = Field(default=0.02, ge=0, le=1)
    """A fall of weighted F1 by more than this is announced as an event (0.02: two points of a hundred)."""

    @model_validator(mode="after")
    def _downstream_of_a_stage(self) -> RerunRequest:
        if self.downstream and self.stage == ALL:
            raise ValueError("downstream needs a stage")
        return self

    def stages(self) -> tuple[str, ...] | None:
        """The stages that are meant, None for all."""
        if self.stage == ALL:
            return None
        names = [*known_stages.BY_NAME]
        return tuple(names[names.index(self.stage) :]) if self.downstream else (self.stage,)

    def selection(self, reason: str | None = None) -> Selection:
        """The part of the run; ``reason`` goes on record, by default the words that ask for it."""
        return Selection(self.stages(), tuple(self.shards) or None, self.force, reason or self.typed())

    def typed(self) -> str:
        """The command that asks for the same: ``rerun demo --stage captions --shards 3,17``."""
        parts = ["rerun", self.run, "--failed" if self.stage == ALL else f"--stage {self.stage}"]
        parts += ["--downstream"] * self.downstream
        parts += ["--shards " + ",".join(map(str, self.shards))] if self.shards else []
        return " ".join(parts + ["--force"] * self.force)


def checked(model: type[Parameters], **values: Any) -> Any:
    """``model`` of these values. SettingsError that names each that is wrong."""
    try:
        return model(**values)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise SettingsError(faults) from error
