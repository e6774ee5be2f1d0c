"""Fixtures that more than one room's tests use."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import s3_server
from prefect_server import Server, serving


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test with a hostile name has logged must get through to the process that reports."""
    report = yield
    report.sections = [(title, text.encode(errors="replace").decode()) for title, text in report.sections]
    return report


CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

CORPUS = [
    "You name the emotion of the last line of a conversation. Answer with one word.",
    "Choose from: neutral, joy, surprise, sadness, anger, fear, disgust.",
    "The video shows two people in a kitchen; one smiles, the other looks away.",
    "Monica: I can not believe that you did this! Ross: It was not my fault, I am sorry.",
    "What happened? Nothing, really. The window broke and everybody ran out of the room.",
    "neutral joyful mad peaceful powerful sad scared happiness frustrated excited",
]


def build_tiny_model(folder: Path, *, architecture: str = "llama", seed: int = 0, **shape: int) -> Path:
    """Write a one-layer causal language model with random weights and a byte-level tokenizer; about 0.2 MB.

    The tokenizer encodes any text, has the end-of-turn token ``<|im_end|>`` and a ChatML chat template.
    ``architecture`` is "llama" or "qwen2". The same seed writes the same numbers. ``shape``: more of its configuration.
    """
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedTokenizerFast, Qwen2Config

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=512, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        model_max_length=1024,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(folder)

    kind = {"llama": LlamaConfig, "qwen2": Qwen2Config}[architecture]
    config = kind(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
        tie_word_embeddings=True,
        **shape,
    )
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    torch.set_rng_state(state)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a one-layer LLaMA model (random weights) and its tokenizer, for AutoModelForCausalLM; read-only."""
    return build_tiny_model(tmp_path_factory.mktemp("tiny") / "llama")


@pytest.fixture(scope="session")
def tiny_qwen2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As ``tiny_model``, of the Qwen2 architecture (biases in its attention)."""
    return build_tiny_model(tmp_path_factory.mktemp("tiny") / "qwen2", architecture="qwen2")


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Prefect server, the same for all tests; it takes 12 to 24 s to start, so ask for it only where it is needed."""
    with serving(tmp_path_factory.mktemp("prefect")) as server:
        yield server


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One torch thread: bit-equal results, and no threads of tiny models waiting for one another."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str]]:
    """The environment of a real S3 server that runs for the whole session."""
    with s3_server.serving() as environment:
        yield environment


@pytest.fixture
def bucket(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The URL of an empty workspace in a bucket of its own."""
    return s3_server.new_workspace(s3, monkeypatch, tmp_path / "copies")
