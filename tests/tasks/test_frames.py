"""Which keyframes are found, and what is said where there are none."""

from __future__ import annotations

from pathlib import Path

import pytest
from framed_run import REFUSED, SUSPECT, TEXT_ONLY, WITH_FACES, framed

from model.dialogue import Caption
from model.errors import SettingsError, WorkspaceError
from storage.shards import write_shard
from tasks.frames import find, sample
from tasks.plan import Run
from tasks.stages import BY_NAME

PEOPLE = ((0, 100.0, 0.0, 300.0, 300.0, 0.9),)
OBJECTS = ((0, "cup", 20.0, 200.0, 60.0, 80.0, 0.875), (1, "dining table", 0.0, 0.0, 640.0, 360.0, 0.625))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return framed(tmp_path)


def test_lines_come_in_the_order_asked_for_their_frames_by_time(run: Run) -> None:
    found = find(run, ["demo/test/3/1", WITH_FACES, REFUSED, TEXT_ONLY, SUSPECT, WITH_FACES])
    assert [one.utterance.utterance_id for one in found] == ["demo/test/3/1", WITH_FACES, REFUSED, TEXT_ONLY, SUSPECT]
    assert [[frame.rank for frame in one.frames] for one in found] == [[0], [0, 1], [], [], [0]]
    assert [one.reason for one in found] == ["", "", "missing_video: a.mp4: no such file", "", ""]
    assert found[1].frames[0].face_boxes == ((320.0, 60.0, 160.0, 240.0, 0.9),)


def test_what_detectors_found_for_the_captions_comes_along(run: Run) -> None:
    assert (find(run, [WITH_FACES])[0].people, find(run, [WITH_FACES])[0].objects) == ((), ())
    caption = Caption(WITH_FACES, "A cup.", "cues", "r", "p", 1, 0, (), 0.1, people=PEOPLE, objects=OBJECTS)
    rest = Caption(SUSPECT, "Nothing.", "cues", "r", "p", 1, 0, (), 0.1)
    write_shard(run.layout, "captions", run.key(BY_NAME["captions"]), 0, [caption, rest], {})
    with_faces, suspect, refused = find(run, [WITH_FACES, SUSPECT, REFUSED])
    assert (with_faces.people, with_faces.objects) == (PEOPLE, OBJECTS)
    assert [(one.people, one.objects) for one in (suspect, refused)] == [((), ())] * 2


def test_an_unknown_line_is_told_with_the_nearest(run: Run) -> None:
    with pytest.raises(SettingsError, match=r"no utterance 'demo/train/O/1': did you mean demo/train/[01]/1"):
        find(run, ["demo/train/O/1"])
    with pytest.raises(SettingsError, match=r"no utterance 'x': its ids look like demo/train/0/0, demo/train/0/1"):
        find(run, ["x"])


def test_a_sample_is_the_same_for_a_seed_and_never_of_test(run: Run) -> None:
    assert sample(run, 5, 1) == sample(run, 5, 1)
    assert sample(run, 5, 1) != sample(run, 5, 2)
    everything = sample(run, 100, 0)
    assert len(everything) == 12
    assert {name.split("/")[1] for name in everything} == {"train", "dev"}
    assert [one for one in everything if one in sample(run, 5, 1)] == sample(run, 5, 1), "in the order of the corpus"


def test_no_keyframes_of_a_run_without_them(tmp_path: Path) -> None:
    run = framed(tmp_path, keyframes={"enabled": False}, captions={"enabled": False})
    for ask in (lambda: find(run, [WITH_FACES]), lambda: sample(run, 1, 0)):
        with pytest.raises(SettingsError, match=r"has no keyframes: they are off"):
            ask()


def test_what_is_not_made_yet_says_what_makes_it(run: Run) -> None:
    key = run.key(BY_NAME["keyframes"])
    run.layout.manifest("keyframes", key, 0).unlink()
    with pytest.raises(WorkspaceError, match=rf"{WITH_FACES} are not there \(shard 0: missing\): `dialoguellm rerun"):
        find(run, [WITH_FACES])
    assert find(run, ["demo/dev/2/0"])[0].frames
    run.layout.shard_list(run.key(BY_NAME["ingest"])).unlink()
    with pytest.raises(WorkspaceError, match="has not been read yet"):
        find(run, [WITH_FACES])


def test_a_damaged_file_is_named(run: Run) -> None:
    path = run.layout.part("keyframes", run.key(BY_NAME["keyframes"]), 0)
    path.write_bytes(path.read_bytes()[:-4] + b"what")
    with pytest.raises(WorkspaceError, match=r"part-00000\.parquet is damaged"):
        find(run, [WITH_FACES])
