"""Subtitles beside long videos, as a person runs them: from files to keyframes that show the cue's own stretch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pipeline_runs import dialoguellm, tables
from video_clips import three_shots, which_scene

CONFIG = """
name = "talks"
workspace = {workspace!r}
model = {model!r}

[ingest]
corpus = "subtitles"
folder = {folder!r}
videos = {folder!r}
labels = "meld"
max_rejects = 0.5

[keyframes]
max_rejects = 0.5

[captions]
enabled = false
"""

SRT = """\
1
00:00:00,000 --> 00:00:01,000
Ana: [joy] One.

2
00:00:00,900 --> 00:00:02,000
Ben: Two.

3
00:00:01,100 --> 00:00:01,900
Ben: [fear] Over
two.

4
00:00:02,050 --> 00:00:03,000
[anger] Three.

5
00:01:00,000 --> 00:01:01,000
[anger] Behind the end.
"""

VTT = "WEBVTT\n\n00:01.000 --> 00:03.000\n<v Ana>[neutral] Two and three.\n"


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """A corpus of three dialogues; each video has one shot a second: scenes 1, 2 and 3."""
    folder = tmp_path / "talks"
    for name, text in {"train/a.srt": SRT, "dev/b.vtt": VTT, "test/c.vtt": VTT}.items():
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    three_shots(folder / "train" / "a.mkv")
    three_shots(folder / "dev" / "b.mp4")
    return folder


def test_frames_are_of_their_own_cue(tmp_path: Path, talks: Path, tiny_model: Path) -> None:
    workspace, config = tmp_path / "workspace", tmp_path / "talks.toml"
    config.write_text(CONFIG.format(workspace=str(workspace), model=str(tiny_model), folder=str(talks)))
    home = tmp_path / "home"
    dialoguellm(home, "run", str(config), "--direct", "--until", "keyframes")

    found = tables(workspace)
    said = {row["utterance_id"].removeprefix("subtitles-meld/"): row for row in found["utterances"]}
    assert [(row["speaker"], row["text"], row["emotion"]) for row in said.values()] == [
        ("Ana", "One.", "joy"),
        ("Ben", "Over two.", "fear"),
        ("Unknown", "Three.", "anger"),
        ("Unknown", "Behind the end.", "anger"),
        ("Ana", "Two and three.", "neutral"),
        ("Ana", "Two and three.", "neutral"),
    ]
    shown: dict[str, set[int]] = {}
    for row in found["keyframes"]:
        name = row["utterance_id"].removeprefix("subtitles-meld/")
        shown.setdefault(name, set()).add(which_scene(row["jpeg"], range(1, 4)))
        assert 0 <= row["time_s"] <= said[name]["end_s"] - said[name]["start_s"]
    assert shown == {"train/a/1": {1}, "train/a/3": {2}, "train/a/4": {3}, "dev/b/1": {2, 3}}

    rejects = json.loads(dialoguellm(home, "rejects", "talks", "-w", str(workspace), "--json"))
    assert {(row["stage"], row["utterance_id"], row["reason"]) for row in rejects} == {
        ("ingest", "subtitles-meld/train/a/2", "unlabelled"),
        ("keyframes", "subtitles-meld/train/a/5", "outside_video"),
        ("keyframes", "subtitles-meld/test/c/1", "no_video_named"),
    }
