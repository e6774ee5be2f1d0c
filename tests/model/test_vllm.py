"""vLLM's own server loads what this project makes and says what the model says in the process."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import build_tiny_model
from vllm_server import ABSENT, PROGRAM, vllm_serving

from model import lora
from model.caption_chat import Clip
from model.caption_prompt import CaptionPrompt
from model.caption_text import CHAT_TOKEN, clean
from model.captioner import Described, TransformersCaptioner
from model.chat_server import ChatServer
from model.errors import VideoError
from model.generation import Decoding, Generated, generate
from model.server_answerer import ServerAnswerer
from model.server_captioner import ServerCaptioner
from model.vlm import DEMO_FOLDER
from tasks.demo.draw import draw
from tasks.demo.world import random_frames

pytestmark = [pytest.mark.skipif(not PROGRAM, reason=ABSENT), pytest.mark.usefixtures("one_thread")]
CHATS = [(("system", "Name the emotion."), ("user", f"Ana: {text}")) for text in ("Hello!", "No, not again.", "What?")]

CROP = '{"crop_size": {"height": 160, "width": 160}}'
"""vLLM asks a processor that crops nothing for the size of its crop."""

CUT = "\N{REPLACEMENT CHARACTER}"
"""Half a letter at the end of an answer, which vLLM leaves out."""

PLUGIN = "vllm_child:contiguous_on_a_cpu"
"""What vLLM's CPU build needs for the demo captioner's tower (benchmarks/captioning/)."""

HEADS = {"head_dim": 32}
"""The least that vLLM's CPU build computes."""


def test_captions(tmp_path: Path) -> None:
    scenes = random_frames(np.random.default_rng(5), 4)
    shown = [draw(scene, width=512, height=288, time_s=0.4, seed=5) for scene in scenes]
    jpegs = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in shown]
    clips = [Clip((jpegs[0],), (0.0,)), Clip(tuple(jpegs[1:]), (0.0, 0.4, 0.8), "Oh no.")]
    prompt = CaptionPrompt("test", "Describe what can be seen.", "You describe clips.")
    inside = TransformersCaptioner(DEMO_FOLDER).describe(clips, prompt, 60)
    options = ("--model-impl", "transformers", "--mm-processor-kwargs", CROP, "--limit-mm-per-prompt", '{"image": 4}')
    with vllm_serving(DEMO_FOLDER, tmp_path / "log", *options, "--served-model-name", "seer", plugin=PLUGIN) as url:
        seer = ServerCaptioner(ChatServer(url, timeout_s=100.0), "seer")
        assert seer.revision() == "server:seer"
        outside = seer.describe(clips, prompt, 60)
    for one, other in zip(inside, outside, strict=True):
        assert isinstance(one, Described)
        assert isinstance(other, Described), other
        assert (clean(CHAT_TOKEN.sub("", one.text)), one.n_tokens) == (clean(other.text), other.n_tokens)


def test_adapters(tmp_path: Path) -> None:
    """Of both targets that the presets have, in one server beside their base; the folders are what `save` writes."""
    tiny_model = build_tiny_model(tmp_path / "llama", **HEADS)
    expected = {"base": answers(tiny_model, None)}
    for name, target in (("paper", "q_proj,v_proj"), ("sound", "all-linear")):
        expected[name] = answers(tiny_model, random_adapter(tiny_model, tmp_path / name, target))
    assert len({tuple(said) for said in expected.values()}) == 3, "an adapter that changes nothing shows nothing"
    folders = [f"{name}={tmp_path / name}" for name in ("paper", "sound")]
    options = ("--served-model-name", "base", "--enable-lora", "--lora-modules", *folders)
    with vllm_serving(tiny_model, tmp_path / "log", *options) as url:
        for name, said in expected.items():
            found = ServerAnswerer(ChatServer(url, timeout_s=100.0), name).answer(CHATS, 12)
            assert [text(one) for one in found] == [CHAT_TOKEN.sub("", one).rstrip(CUT) for one in said], name


def text(found: Generated | VideoError) -> str:
    assert isinstance(found, Generated), found
    return found.text.rstrip(CUT)


def random_adapter(base: Path, folder: Path, target: lora.Target) -> Path:
    model, _ = lora.load(base, device="cpu")
    tuned = lora.attach(model, lora.LoraOptions(r=4, alpha=16, target=target), str(base))
    with torch.no_grad():
        for name, parameter in lora.trainable(tuned):
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(len(name))))
    lora.save(tuned, folder)
    return folder


def answers(base: Path, adapter: Path | None) -> list[str]:
    model, tokenizer = lora.load(base, adapter, device="cpu")
    chats = [[{"role": role, "content": content} for role, content in chat] for chat in CHATS]
    prompts = [tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in chats]
    return [one.text for one in generate(model, tokenizer, prompts, Decoding(12))]
