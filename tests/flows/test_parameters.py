"""What flows are asked for: forms with help, and nothing else than what they say."""

from __future__ import annotations

from typing import Any

import pytest

from flows.parameters import GridRequest, PipelineRequest, RerunRequest, checked
from model.errors import SettingsError
from tasks.drive import Selection
from tasks.stages import BY_NAME


@pytest.mark.parametrize("model", [PipelineRequest, RerunRequest, GridRequest])
def test_every_field_has_its_help(model: Any) -> None:
    schema = model.model_json_schema()
    assert schema["additionalProperties"] is False
    for name, field in schema["properties"].items():
        assert field["description"].endswith("."), name


def test_the_form_lists_the_stages() -> None:
    schema = PipelineRequest.model_json_schema()
    assert schema["properties"]["stages"]["items"]["enum"] == list(BY_NAME)


@pytest.mark.parametrize(
    ("model", "values", "named"),
    [
        (PipelineRequest, {"config": ""}, "config"),
        (PipelineRequest, {"config": "a\nb"}, "config"),
        (PipelineRequest, {"config": "demo", "overrides": ["captions.prompt"]}, "overrides.0"),
        (PipelineRequest, {"config": "demo", "overrides": ["rm -rf /=1"]}, "overrides.0"),
        (PipelineRequest, {"config": "demo", "stages": ["dance"]}, "stages.0"),
        (PipelineRequest, {"config": "demo", "f1_drop": 2}, "f1_drop"),
        (PipelineRequest, {"config": "demo", "stage": "captions"}, "stage"),
        (RerunRequest, {"run": "../demo"}, "run"),
        (RerunRequest, {"run": "demo", "stage": "dance"}, "no stage is called dance: the stages are ingest"),
        (RerunRequest, {"run": "demo", "shards": [-1]}, "shards.0"),
        (RerunRequest, {"run": "demo", "downstream": True}, "downstream needs a stage"),
    ],
)
def test_bad_values_are_refused(model: Any, values: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        checked(model, **values)


def test_a_rerun_says_what_it_is() -> None:
    everything = RerunRequest(run="demo")
    assert everything.typed() == "rerun demo --failed"
    assert everything.selection() == Selection(None, None, False, "rerun demo --failed")
    part = RerunRequest(run="demo", stage="evaluate", downstream=True, shards=[3, 17], force=True)
    assert part.typed() == "rerun demo --stage evaluate --downstream --shards 3,17 --force"
    assert part.selection("retry 1") == Selection(("evaluate", "score", "report"), (3, 17), True, "retry 1")
    assert RerunRequest(run="demo", stage="evaluate").stages() == ("evaluate",)
