from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.run_settings import RunSettings, faults
from flows.settings import prepare, read
from model.errors import SettingsError

CONFIG = 'name = "x"\n[ingest]\ncorpus = "demo"\n'


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, []),
        ({"runner": "dask", "workers": 4, "address": "tcp://head:8786"}, []),
        ({"hints": {"captions": {"cpus": 4, "memory_mb": 16000}}}, []),
        (3, ["run: must be a table, written [run]"]),
        ({"runner": "spark"}, ["run.runner: Input should be 'threads', 'processes', 'dask' or 'ray' (found 'spark')"]),
        ({"workers": 0}, ["run.workers: Input should be greater than or equal to 1 (found 0)"]),
        (
            {"worker": 2},
            ["run.worker: unknown; allowed are runner, workers, address, gpu_limit, hints"],
        ),
        (
            {"runner": "processes", "address": "tcp://head:8786"},
            ["run.address: processes run on this machine; set run.runner to dask or ray, or leave it out"],
        ),
    ],
)
def test_faults_name_key_and_what_is_allowed(values: Any, expected: list[str]) -> None:
    assert faults(values) == expected


def test_hints_are_of_stages() -> None:
    (fault,) = faults({"hints": {"dreams": {}}})
    assert fault.startswith("run.hints: Value error, no stage is called dreams: the stages are ingest,")
    given = RunSettings(hints={"captions": {"cpus": 4}})  # type: ignore[dict-item]
    assert (given.hint("captions").cpus, given.hint("ingest").cpus) == (4, 1)


def test_it_is_recorded_and_changes_no_key(tmp_path: Path) -> None:
    config = tmp_path / "x.toml"
    config.write_text(CONFIG)
    plain = prepare(str(config), workspace=tmp_path / "w")
    spread = prepare(str(config), workspace=tmp_path / "w", overrides=["run.runner=dask", "run.workers=2"])
    assert spread.keys == plain.keys
    assert spread.run_id == plain.run_id
    assert spread.record["runner"] == {"runner": "dask", "workers": 2}
    with pytest.raises(SettingsError, match=r"run\.runner: Input should be"):
        read(str(config), ["run.runner=spark"])
