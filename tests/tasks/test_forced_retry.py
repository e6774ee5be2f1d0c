"""A retry of something forced goes on where it stopped, as any other does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fake_stages
import pytest
from fake_stages import SEEN, go, make

from model.errors import RunFailed
from storage import ledger
from tasks.drive import Selection, planned


def test_it_does_not_repeat_what_it_did(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_stages.install(monkeypatch)
    run = make(tmp_path)
    go(run)
    forced = Selection(("captions", "finetune"), force=True)
    place = run.layout.part("captions", run.keys["captions"] or "", 1)
    place.unlink()
    place.mkdir()  # cannot be written
    begun = ledger.now()
    with pytest.raises(RunFailed):
        go(run, forced)
    place.rmdir()
    SEEN.clear()
    again = replace(forced, since=begun)
    assert [(item.stage.name, item.reasons()) for item in planned(run, again)] == [
        ("captions", {"failed": 1}),
        ("finetune", {"forced": 1}),
    ]
    assert go(run, again).done == {"captions": 1, "finetune": 1}
    assert len(SEEN["captions"]) == 6
    folder = run.layout.model(run.keys["finetune"] or "")
    assert len(list(folder.parent.glob(f"{folder.name}.before-*"))) == 1
    (folder / "begun").touch()
    run.layout.manifest("training_log", run.keys["finetune"] or "", 0).unlink()  # killed in training
    assert go(run, again).done == {"finetune": 1}
    assert (folder / "begun").exists(), "it goes on with what was begun"
    assert go(run, again).done == {}
