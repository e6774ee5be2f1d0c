from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from model.dialogue import Utterance
from model.errors import CorpusError
from tasks.corpora.demo import read
from tasks.demo import clip as clip_module
from tasks.demo.clip import Clip, render_clip
from tasks.demo.render import COLUMNS, render_corpus
from tasks.demo.script import load_script

SMALL = {"width": 160, "height": 90, "fps": 12.5}
ROOT = Path(__file__).parents[3]
START = f"""
import sys
from pathlib import Path
from tasks.demo.render import render_corpus

if __name__ == "__main__":
    render_corpus(Path(sys.argv[1]), dialogues=("train/0", "test/0"), workers=2, **{SMALL})
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    render_corpus(folder, dialogues=("train/0", "test/0"), workers=2, **SMALL)
    return folder


def clip(path: Path) -> Clip:
    return Clip(path, load_script()[0].lines[0], voice_seed=7, room_seed=3, width=160, height=90, fps=12.5)


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/*.mp4"))
    }


def test_the_clips_are_video_with_sound_of_the_script_s_length(corpus: Path) -> None:
    line = load_script()[0].lines[2]
    with av.open(str(corpus / "train/dia0_utt2.mp4")) as file:
        picture, sound = file.streams.video[0], file.streams.audio[0]
        assert (picture.codec_context.name, picture.pix_fmt, sound.codec_context.name) == ("h264", "yuv420p", "aac")
        assert (picture.width, picture.height, float(picture.average_rate)) == (160, 90, 12.5)
        frames = [frame.to_ndarray(format="gray") for frame in file.decode(picture)]
    seconds = sum(shot.seconds for shot in line.shots)
    assert len(frames) / 12.5 == pytest.approx(seconds, abs=0.08)
    jumps = [float(np.abs(a.astype(int) - b).mean()) for a, b in pairwise(frames)]
    assert sum(jump > 10 for jump in jumps) == len(line.shots) - 1
    with av.open(str(corpus / "train/dia0_utt2.mp4")) as file:
        loudest = max(float(np.abs(frame.to_ndarray()).max()) for frame in file.decode(audio=0))
        assert float(file.duration / av.time_base) == pytest.approx(seconds, abs=0.15)
    assert loudest > 0.2


def test_the_transcript_has_a_row_per_clip_and_the_corpus_reader_takes_it(corpus: Path) -> None:
    with (corpus / "transcript.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == COLUMNS
    assert {row["video"] for row in rows} == set(digests(corpus))
    utterances = list(read(corpus))
    assert all(isinstance(utterance, Utterance) for utterance in utterances)
    assert len(utterances) == len(rows) == 10


def test_same_seed_same_bytes(corpus: Path, tmp_path: Path) -> None:
    render_corpus(tmp_path, dialogues=("test/0",), workers=1, **SMALL)
    again = digests(tmp_path)
    assert len(again) == 5
    assert again.items() <= digests(corpus).items()


def test_only_missing_clips_are_made(corpus: Path) -> None:
    lost, kept = corpus / "train/dia0_utt1.mp4", corpus / "train/dia0_utt0.mp4"
    before, made_at = digests(corpus), kept.stat().st_mtime_ns
    lost.unlink()
    seen: list[tuple[int, int]] = []
    render_corpus(
        corpus,
        dialogues=("train/0", "test/0"),
        progress=lambda done, total: seen.append((done, total)),
        workers=1,
        **SMALL,
    )
    assert seen == [(10, 10)]
    assert digests(corpus) == before
    assert kept.stat().st_mtime_ns == made_at


def test_another_seed_renders_anew(tmp_path: Path) -> None:
    render_corpus(tmp_path, dialogues=("train/1",), workers=1, **SMALL)
    before = digests(tmp_path)
    render_corpus(tmp_path, dialogues=("train/0",), workers=1, seed=8, **SMALL)
    assert not before.keys() & digests(tmp_path).keys()
    assert {row.dialogue_id for row in read(tmp_path) if isinstance(row, Utterance)} == {"0"}


def test_an_unknown_dialogue_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no dialogue train/99 in the script"):
        render_corpus(tmp_path, dialogues=("train/99",))


def test_a_failing_encoder_leaves_nothing_behind(tmp_path: Path) -> None:
    broken = replace(clip(tmp_path / "a.mp4"), width=161)  # yuv420p wants even sizes
    with pytest.raises(CorpusError, match="ffmpeg failed"):
        render_clip(broken)
    assert list(tmp_path.iterdir()) == []


def test_a_hanging_encoder_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_module, "FFMPEG_TIMEOUT_S", 0.001)
    with pytest.raises(CorpusError, match="did not finish"):
        render_clip(clip(tmp_path / "a.mp4"))
    assert list(tmp_path.iterdir()) == []


def test_odd_folder_names_are_only_names(tmp_path: Path) -> None:
    folder = tmp_path / "-i a%03d:b é"
    render_clip(clip(folder / "dia0_utt0.mp4"))
    assert [path.name for path in folder.iterdir()] == ["dia0_utt0.mp4"]


def test_a_killed_rendering_goes_on_and_leaves_no_process(corpus: Path, tmp_path: Path) -> None:
    script = tmp_path / "start.py"
    script.write_text(START, encoding="utf-8")
    folder = tmp_path / "demo"
    running = subprocess.Popen([sys.executable, script, folder], env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        while not digests(folder):
            assert running.poll() is None
            time.sleep(0.02)
        helpers = psutil.Process(running.pid).children(recursive=True)
    finally:
        running.kill()
        running.wait()
    assert len(helpers) >= 2
    assert psutil.wait_procs(helpers, timeout=30)[1] == []
    assert not (folder / "transcript.csv").exists()
    assert len(digests(folder)) < 10
    render_corpus(folder, dialogues=("train/0", "test/0"), workers=2, **SMALL)
    assert digests(folder) == digests(corpus)
    assert [path.name for path in folder.glob("*/.*")] == []
