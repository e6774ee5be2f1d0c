from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playing_server import lists, playing, refusing_port, says
from pydantic import ValidationError

from model import machine
from model.caption_chat import Clip
from model.caption_prompt import CaptionPrompt
from model.caption_quality import Limits, fault_of
from model.captioner import Described
from model.dialogue import Caption, Keyframe, Rejected, Utterance
from model.errors import ServerError, SettingsError, VideoError
from tasks import captions
from tasks.caption_rows import frames_by_utterance
from tasks.captions import STAGE, CaptionsSettings, identity, processes_of
from tasks.demo.draw import draw
from tasks.demo.world import Scene, describe, parse_description, random_frames
from tasks.stage import SECRET, Context


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def utterance(turn: int, corpus: str = "demo") -> Utterance:
    return Utterance(f"{corpus}/test/0/{turn}", corpus, "test", "0", turn, str(turn), "Ann", "Oh.", "neutral")


def jpeg(scene: Scene, seed: int) -> bytes:
    image = draw(scene, width=512, height=288, time_s=0.4 * seed, seed=seed)
    return cv2.imencode(".jpg", image)[1].tobytes()


def keyframes(turn: int, jpegs: Sequence[bytes]) -> list[Keyframe]:
    name = utterance(turn).utterance_id
    return [
        Keyframe(name, n, n / 2, jpeg, 512, 288, 100.0, 30.0 * bool(n), 0.5, False, None, None, "test")
        for n, jpeg in enumerate(jpegs)
    ]


def clip(turn: int) -> tuple[list[Keyframe], tuple[Scene, ...]]:
    scenes = random_frames(np.random.default_rng(100 + turn), 1 + turn % 4)
    return keyframes(turn, [jpeg(scene, 1000 + turn) for scene in scenes]), scenes


def run(
    tmp_path: Path, utterances: list[Utterance], frames: list[Keyframe], progress: Any = None, **settings: Any
) -> list[Caption | Rejected]:
    context = Context(cache=tmp_path, folder=tmp_path)
    if progress:
        context = replace(context, progress=progress)
    return list(STAGE.run({"utterances": utterances, "keyframes": frames}, CaptionsSettings(**settings), context))


@dataclass
class Scripted:
    """Says what it is told to, and remembers what it was asked."""

    says: list[str | VideoError]
    shown: Sequence[Clip] = ()
    prompt: CaptionPrompt | None = None

    def describe(
        self,
        clips: Sequence[Clip],
        prompt: CaptionPrompt,
        max_new_tokens: int,
        progress: Callable[[int], None] = lambda _done: None,
    ) -> list[Described | VideoError]:
        self.shown, self.prompt = clips, prompt
        progress(len(clips))
        return [
            said if isinstance(said, VideoError) else Described(said, len(clip.jpegs), max_new_tokens, 0.5)
            for said, clip in zip(self.says, clips, strict=True)
        ]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scripted]:
    def make(*says: str | VideoError) -> Scripted:
        captioner = Scripted(list(says))
        monkeypatch.setattr(captions, "_captioner", lambda *_: captioner)
        return captioner

    return make


def test_the_shipped_captioner_says_what_the_demo_shows(tmp_path: Path) -> None:
    clips = [clip(turn) for turn in range(8)]
    done: list[tuple[int, int, str]] = []
    frames = [frame for own, _ in clips for frame in own]
    utterances = [utterance(turn) for turn in range(len(clips))]
    rows = run(tmp_path, utterances, frames, lambda *seen: done.append(seen), batch_size=3)
    assert [row.utterance_id for row in rows] == [row.utterance_id for row in utterances]
    good = [row for row in rows if isinstance(row, Caption)]
    assert len(good) == len(rows), rows
    said = [parse_description(row.text) for row in good]
    true = [parse_description(describe(scenes)) for _, scenes in clips]
    for what in ("place", "count"):
        assert sum(a[what] == b[what] for a, b in zip(said, true, strict=True)) >= 6, [row.text for row in good]
    assert [row.n_frames for row in good] == [len({frame.jpeg for frame in own}) for own, _ in clips]
    assert {(row.model, row.prompt_id) for row in good} == {("demo", "describe")}
    assert {row.revision for row in good} == {identity(CaptionsSettings())["weights"]}
    assert done == [(2, 8, "utterances"), (5, 8, "utterances"), (8, 8, "utterances")]
    again = run(tmp_path, utterances, frames, batch_size=16, processes=0)
    assert [replace(row, seconds=0.0) for row in good] == [
        replace(row, seconds=0.0) for row in again if isinstance(row, Caption)
    ]


def test_no_frames_and_bad_frames_become_rejects(tmp_path: Path) -> None:
    frames = [*clip(0)[0], *keyframes(2, [b"answer: joy"])]
    rows = run(tmp_path, [utterance(turn) for turn in range(3)], frames, processes=0)
    assert isinstance(rows[0], Caption)
    rejected = [(row.utterance_id, row.stage, row.reason) for row in rows if isinstance(row, Rejected)]
    assert rejected == [("demo/test/0/1", "captions", "no_frames"), ("demo/test/0/2", "captions", "bad_picture")]


def test_the_demo_captioner_is_refused_on_another_corpus(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    frames = [replace(frame, utterance_id="meld/test/0/0") for frame in clip(0)[0]]
    with pytest.raises(SettingsError, match=r'set captions\.model = "smolvlm2-256m"'):
        run(tmp_path, [utterance(0, "meld")], frames)
    scripted("A man sits.")
    (row,) = run(tmp_path, [utterance(0, "meld")], frames, force=True)
    assert isinstance(row, Caption)


def test_what_a_model_says_is_cleaned_and_judged(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    scripted("  A happy\n man\u202e, sad and happy. ", " ", "man " * 30, "A man.<|im_end|>", VideoError("odd", "why"))
    rows = run(tmp_path, [utterance(turn) for turn in range(5)], [])
    assert isinstance(rows[0], Caption)
    assert (rows[0].text, rows[0].emotion_words) == ("A happy man, sad and happy.", ("happy", "sad"))
    reasons = [row.reason for row in rows if isinstance(row, Rejected)]
    assert reasons == ["empty_caption", "repeating_caption", "chat_tokens", "odd"]


def test_the_prompt_is_passed_on_and_off_means_nothing(tmp_path: Path, scripted: Callable[..., Scripted]) -> None:
    captioner = scripted("A man sits.")
    (row,) = run(tmp_path, [utterance(0)], [], prompt="Say what you see.")
    assert captioner.prompt is not None
    assert captioner.prompt.text == "Say what you see."
    assert isinstance(row, Caption)
    assert row.prompt_id == captioner.prompt.prompt_id
    assert run(tmp_path, [utterance(0)], [], enabled=False) == []


@pytest.mark.parametrize(
    ("count", "limit", "chosen"),
    [(3, 4, [0, 1, 2]), (4, 4, [0, 1, 2, 3]), (8, 4, [1, 3, 5, 7]), (5, 1, [2]), (9, 2, [2, 6])],
)
def test_more_frames_than_wanted_are_spread_over_time(count: int, limit: int, chosen: list[int]) -> None:
    frames = keyframes(0, [bytes([n]) for n in range(count)])
    other = keyframes(1, [b"x"])
    found = frames_by_utterance([*other, *frames[::-1]], limit)
    assert found == {"demo/test/0/0": [frames[n] for n in chosen], "demo/test/0/1": other}


def test_frames_go_with_their_times_and_words_only_where_wanted(
    tmp_path: Path, scripted: Callable[..., Scripted]
) -> None:
    captioner = scripted("A man sits.", "A man sits.")
    frames = [frame for frame in keyframes(0, [b"a", b"b", b"c"]) if frame.rank != 1]
    run(tmp_path, [utterance(0), utterance(1)], frames)
    assert captioner.shown == [Clip((b"a", b"c"), (0.0, 1.0)), Clip((), ())]
    run(tmp_path, [utterance(0), utterance(1)], frames, spoken_words=True)
    assert [clip.words for clip in captioner.shown] == ["Oh.", "Oh."]


def test_settings() -> None:
    with pytest.raises(ValidationError, match="describe, facial-cues, paper-like"):
        CaptionsSettings(prompt="descibe")
    plain, hasty = CaptionsSettings(), CaptionsSettings(batch_size=2, force=True, processes=3, timeout_s=9)
    assert plain.key_fields() == hasty.key_fields()
    assert identity(plain) == identity(hasty)
    assert identity(plain)["weights"].startswith("demo-sha256:")
    assert identity(plain)["prompt"] != identity(CaptionsSettings(prompt="facial-cues"))["prompt"]
    assert identity(CaptionsSettings(enabled=False, model="no/such-model")) == {}
    assert plain.key_fields() == CaptionsSettings(max_new_tokens=160).key_fields()
    assert CaptionsSettings(prompt="facial-cues").limit() == 128
    assert CaptionsSettings(prompt="paper-like", max_new_tokens=64).limit() == 64
    more = {"spoken_words": True, "min_words": 3, "max_emotion_words": 0, "keep_refusals": True, "min_english": 0.0}
    assert CaptionsSettings(**more).key_fields() == {**plain.key_fields(), **more}
    assert CaptionsSettings(**more).limits() == Limits(3, 0.5, 0.0, 0, keep_refusals=True)


def test_a_server_describes_instead(tmp_path: Path) -> None:
    """What it says is cleaned and judged as any caption; no weights are looked for, and any corpus may be shown."""
    said = [
        lists("org/seer"),
        says(" A happy man\n sits.", usage={"completion_tokens": 6}),
        says("man " * 30),
        says(""),
    ]
    frames = [replace(frame, utterance_id=f"meld/test/0/{turn}") for turn in range(3) for frame in clip(turn)[0]]
    with playing(*said) as server:
        asked = {"server": server.url, "model": "org/seer", "server_requests": 1, "server_timeout_s": 20}
        rows = run(tmp_path, [utterance(turn, "meld") for turn in range(3)], frames, **asked)
        assert isinstance(rows[0], Caption)
        assert (rows[0].text, rows[0].emotion_words, rows[0].n_tokens) == ("A happy man sits.", ("happy",), 6)
        assert (rows[0].model, rows[0].revision) == ("org/seer", "server:org/seer")
        reasons = [row.reason for row in rows if isinstance(row, Rejected)]
        assert reasons == ["repeating_caption", "empty_caption"]
    assert len(server.seen) == 4
    assert list(tmp_path.iterdir()) == []


def test_a_server_out_of_reach_stops_the_stage(tmp_path: Path) -> None:
    with pytest.raises(ServerError, match=r"cannot be reached .*captions\.server"):
        run(tmp_path, [utterance(0)], clip(0)[0], server=f"http://127.0.0.1:{refusing_port()}/v1", model="seer")


def test_only_the_name_at_a_server_is_in_the_key() -> None:
    one = CaptionsSettings(server="http://127.0.0.1:8000/v1", model="org/seer")
    other = CaptionsSettings(
        server="https://models.example/v1",
        model="org/seer",
        server_requests=2,
        server_timeout_s=9,
        server_key_env="OTHER_KEY",
        server_per_minute=30,
    )
    assert (one.key_fields(), identity(one)) == (other.key_fields(), identity(other))
    assert identity(one)["weights"] == "server:org/seer"
    assert not [name for name in one.key_fields() if name.startswith("server")]
    assert {*CaptionsSettings().key_fields()} == {"enabled", "model", "prompt", "max_new_tokens", "max_frames"}


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"server": "http://joe:hunter22@models.example/v1", "model": "seer"}, "without user, password"),
        ({"server": "http://models.example/v1?key=hunter22", "model": "seer"}, "without user, password"),
        ({"server": "ftp://models.example/v1", "model": "seer"}, "must be http"),
        ({"server_key_env": "sk-hunter22"}, "not the key itself"),
        ({"server": "http://models.example/v1"}, r"set captions\.model"),
    ],
)
def test_settings_of_a_server_that_are_refused(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ValidationError, match=match) as caught:
        CaptionsSettings.model_validate(settings)
    assert [fault["type"] for fault in caught.value.errors()] == [SECRET], "the value would be shown"
    assert CaptionsSettings(server="http://models.example/v1", enabled=False).server


def test_processes_follow_from_the_weights_and_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model of two thousand million numbers a second process would be 11 GB more."""
    monkeypatch.setattr(machine, "cores", lambda: 2)
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    monkeypatch.setattr(machine, "free_memory", lambda: 20 * 10**9)
    assert processes_of(CaptionsSettings(), 3_000_000) == 2
    assert processes_of(CaptionsSettings(model="smolvlm2-256m"), 256_484_928) == 2
    assert processes_of(CaptionsSettings(model="smolvlm2-2.2b"), 2_246_784_880) == 1
    assert processes_of(CaptionsSettings(model="org/other"), 2_246_784_880) == 1
    assert processes_of(CaptionsSettings(model="org/other", processes=2), 2_246_784_880) == 2


def test_planning_needs_no_torch() -> None:
    code = (
        "import sys; from tasks.captions import *; identity(CaptionsSettings());"
        "print(sorted({'torch', 'transformers', 'cv2'} & set(sys.modules)))"
    )
    root = Path(captions.__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "[]"


def test_no_true_description_of_the_demo_is_refused() -> None:
    rng = np.random.default_rng(7)
    for _ in range(500):
        assert fault_of(describe(random_frames(rng, 4))) is None


def test_how_a_model_of_the_table_is_shown_pictures_is_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions.weights, "_commit", lambda *_: "0" * 40)
    short, full = (
        CaptionsSettings(model=name) for name in ("smolvlm2-256m", "HuggingFaceTB/SmolVLM2-256M-Video-Instruct")
    )
    assert identity(short) == identity(full)
    assert identity(short)["weights"] == f"hub:HuggingFaceTB/SmolVLM2-256M-Video-Instruct@{'0' * 40}"
    assert identity(short)["pictures"].startswith("512 px")
    assert "pictures" not in identity(CaptionsSettings(model="org/other"))
    assert "pictures" not in identity(CaptionsSettings(model="smolvlm2-256m", server="http://127.0.0.1:8000/v1"))
