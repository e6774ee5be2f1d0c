"""Runs of the small pipeline in a bucket, from two machines that share nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import fake_stages
import pytest

from model.errors import RunFailed, WorkspaceLocked
from storage import mirror, queries
from storage.layout import Layout, open_workspace
from storage.locks import holding
from storage.mirror import Mirror
from storage.remote import bucket_of
from tasks import ingest
from tasks.drive import Selection
from tasks.folders import results_of
from tasks.ingest_settings import IngestSettings
from tasks.plan import Run, load, plan, resolve
from tasks.publish import rebuild
from tasks.stage import Context, Stage


@pytest.fixture
def machines(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Layout, Layout]]:
    """The layouts of two machines; each is asked for anew, as a new process would."""
    fake_stages.install(monkeypatch, publishing=True)
    found = (Mirror(tmp_path / name, bucket_of(bucket)) for name in ("here", "there"))
    here, there = (Layout(mirror.root, mirror) for mirror in found)
    monkeypatch.setattr("storage.layout.mirror_of", lambda _url: here.mirror)
    open_workspace(bucket, create=True)
    yield here, there
    mirror.mirror_of.cache_clear()


def run_of(layout: Layout, **settings: dict[str, object]) -> Run:
    from tasks import stages

    values = {stage.name: stage.settings.model_validate(settings.get(stage.name, {})) for stage in stages.STAGES}
    assert layout.mirror
    layout.mirror.refresh(layout.runs)
    return resolve("fake", layout, values, "fake.toml")


def pending(run: Run) -> dict[str, int]:
    return {item.stage.name: len(item.pending) for item in plan(run) if item.pending}


def test_a_run_in_a_bucket_is_a_local_one_and_is_read_from_anywhere(
    machines: tuple[Layout, Layout], tmp_path: Path
) -> None:
    here, there = machines
    local = fake_stages.make(tmp_path)
    fake_stages.go(local)
    run = run_of(here)
    assert fake_stages.go(run).shards == 9
    assert fake_stages.lake(here) == fake_stages.lake(local.layout)
    assert not pending(run_of(there))
    assert fake_stages.go(run_of(there)).shards == 0
    assert load(there, "fake").run_id == run.run_id
    text = "SELECT count(*), count(DISTINCT captions.stage_key) FROM captions JOIN predictions USING (utterance_id)"
    for layout in (there, here):
        with queries.connect(layout) as connection:
            queries.fetch(layout, text)
            assert queries.query(connection, text)[1] == [(6, 1)]
    assert not [*there.lake.glob("keyframes/*/part-0*")]
    assert rebuild(there) == 1


def test_what_one_machine_began_another_finishes(machines: tuple[Layout, Layout]) -> None:
    here, there = machines
    with pytest.raises(RunFailed):
        fake_stages.go(run_of(here, captions={"broken": (1,)}))
    with holding(there, "fake"), pytest.raises(WorkspaceLocked, match="'fake' is in use by process"):
        fake_stages.go(run_of(here))
    assert pending(run_of(there))["captions"] == 1
    fake_stages.SEEN.clear()
    fake_stages.go(run_of(there))
    assert len(fake_stages.SEEN["captions"]) < 7  # the rows of that shard: all others were there
    run = run_of(here)
    assert not pending(run)
    assert (there.model(run.keys["finetune"] or "") / "adapter").read_text() == "weights"

    assert here.mirror
    here.mirror.bucket.put(f"lake/captions/{run.keys['captions']}/part-00000.parquet", b"half")
    assert pending(run) == {"captions": 1}
    fake_stages.go(run, Selection(("captions",)))
    assert not pending(run_of(there))

    fake_stages.go(run, Selection(("finetune",), force=True))
    kept = [name for name in here.mirror.bucket.list("models/") if name.endswith(".json")]
    assert len(kept) == 2, "the old adapter is set aside"


def test_the_demos_clips_are_drawn_where_they_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(ingest, "_draw_demo", lambda settings, cache, _progress: drawn.append((settings.corpus, cache)))
    settings = IngestSettings(corpus="demo")
    stage = Stage("captions", 1, "captions", object, IngestSettings, lambda *_: iter(()), videos=True)
    from tasks.demo.render import source_digest

    run = Run("x-1", "x", Layout(tmp_path), {"captions": settings, "ingest": settings}, {}, {})
    folder = ingest.videos_root(settings, tmp_path, {"demo": source_digest()})
    assert folder
    for videos in (folder, tmp_path / "other", tmp_path, None):
        assert not [*results_of(run, stage, {}, Context(tmp_path, tmp_path, videos=videos))]
    assert drawn == [("demo", tmp_path)]
