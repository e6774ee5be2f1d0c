"""Hostile model folders are refused in one line, in bounded time and memory, and no code of theirs is run."""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from faults.folder_attacks import ATTACKS, Attack, edit

from model import gguf_import, lora, packing, weight_files, weights
from model.chat import chat_template
from model.errors import WeightsError

pytestmark = pytest.mark.usefixtures("one_thread")
MEMORY = 256 * 2**20


@pytest.fixture
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_model, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_an_attack_is_refused_in_one_line_and_bounded_memory(attack: Attack, folder: Path) -> None:
    attack(folder)
    said = in_little_memory(folder)
    assert ATTACKS[attack][1] in said, said
    assert str(folder) in said
    assert "\n" not in said
    assert len(said) < 1000


def in_little_memory(folder: Path) -> str:
    """What the check says in a process that may take no more than MEMORY and 20 s of CPU beyond what it has."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY,) * 2)
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 20,) * 2)
        try:
            weight_files.check(folder)
            said = "passed"
        except BaseException as error:
            said = f"{error}" if isinstance(error, WeightsError) else f"{type(error).__name__}: {error}"
        os.write(writing, said.encode("utf-8", "replace")[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read().decode()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "it was ended by its limits"
    return said


class Bomb:
    """Unpickled, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.mark,))


def test_a_pickle_beside_the_weights_is_never_opened(folder: Path, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "model.pt", "training_args.bin", "optimizer.pt"):
        (folder / name).write_bytes(pickle.dumps(Bomb(tmp_path / "mark")))
    weight_files.check(folder)
    lora.load(folder, device="cpu")
    assert not (tmp_path / "mark").exists()


def test_code_beside_the_weights_is_never_run(folder: Path, tmp_path: Path) -> None:
    """Even where the check is passed by: the library itself is told not to."""
    mark = tmp_path / "mark"
    (folder / "evil.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).touch()\nclass Evil: pass\n")
    edit(folder / "config.json", auto_map={"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"})
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.Evil", None]})
    with suppress(WeightsError):
        lora.load(folder, device="cpu")
    assert not mark.exists()


def test_weights_that_are_left_out_are_not_made_up(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    values = load_file(folder / "model.safetensors")
    lost = next(name for name in sorted(values) if "mlp" in name)
    del values[lost]
    save_file(values, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=r"lacks weights \(.*mlp"):
        lora.load(folder, device="cpu")


TEMPLATES = {
    "{{ ''.__class__.__mro__[1].__subclasses__() }}": "out of the sandbox",
    "{{ cycler.__init__.__globals__.os.system('touch mark') }}": "a program",
    "{% for n in range(1000000000) %}{% endfor %}": "a loop",
    "{% include '/etc/passwd' %}": "another file",
    "{{ messages.append(messages) }}": "what it was given",
    "{{": "no template",
}


@pytest.mark.parametrize("template", TEMPLATES, ids=TEMPLATES.values())
def test_a_chat_template_stays_in_its_sandbox(
    folder: Path, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoTokenizer

    monkeypatch.chdir(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    tokenizer.chat_template = template + "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    with pytest.raises(WeightsError, match="its chat template does not take a user message"):
        chat_template(tokenizer)((("system", "Name the emotion."),), "What?")
    assert not (tmp_path / "mark").exists()


def test_a_tokenizer_s_pattern_that_goes_through_a_text_for_ever(folder: Path) -> None:
    """The library gives up after a while; what it raises then is no Exception, and would end a worker."""
    from transformers import AutoTokenizer

    place = folder / "tokenizer.json"
    parts = json.loads(place.read_text())
    split = {"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": False}
    parts["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [split, parts["pre_tokenizer"]]}
    place.write_text(json.dumps(parts))
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    assert packing.encode_prompts(tokenizer, ["an ordinary line"])
    with pytest.raises(WeightsError, match=r"its tokenizer gives up on a text \(.*retry-limit"):
        packing.encode_prompts(tokenizer, ["a" * 40 + "!"])


def test_an_adapter_that_names_code_or_is_none(tiny_model: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    lora.save(lora.attach(lora.load(tiny_model, device="cpu")[0], lora.LoraOptions(r=2), "tiny"), adapter)
    weight_files.check_adapter(adapter)
    whole = (adapter / "adapter_config.json").read_text()
    for values, said in (
        ({"megatron_config": {"a": 1}, "megatron_core": "evil"}, "names code to import"),
        ({"auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"}}, "names code to import"),
        ({"peft_type": "PROMPT_TUNING"}, "is not that of a LoRA adapter"),
        ({"target_modules": "(a+)+$"}, "is not that of a LoRA adapter"),
        ({"r": 10**9}, "is not that of a LoRA adapter"),
        ({"auto_map": {"AutoModel": "evil.Evil"}, "base_model_name_or_path": "evil/remote"}, "names code to import"),
        ({"layer_replication": [[0, 10**9]]}, r"asks for more than a LoRA adapter \(layer_replication\)"),
        (
            {"rank_pattern": {"(a+)+$": 3}, "eva_config": {"rho": 2}},
            r"more than a LoRA adapter \(eva_config, rank_patt",
        ),
        ({"init_lora_weights": "pissa"}, r"asks for more than a LoRA adapter \(init_lora_weights\)"),
    ):
        edit(adapter / "adapter_config.json", **values)
        with pytest.raises(WeightsError, match=said):
            lora.load(tiny_model, adapter, device="cpu")
        (adapter / "adapter_config.json").write_text(whole)
    (adapter / "adapter_model.safetensors").write_bytes((1 << 40).to_bytes(8, "little"))
    with pytest.raises(WeightsError, match="its header claims"):
        lora.load(tiny_model, adapter, device="cpu")


def test_converted_weights_that_were_damaged_since(folder: Path, tmp_path: Path) -> None:
    pinned = weights.REGISTRY[weights.DEFAULT]
    target = weights._target(pinned, tmp_path / "weights")
    shutil.copytree(folder, target)
    gguf_import.seal(target, {"name": pinned.name})
    assert weights.resolve(weights.DEFAULT, tmp_path) == target
    data = bytearray((target / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (target / "model.safetensors").unlink()
    (target / "model.safetensors").write_bytes(data)
    with pytest.raises(WeightsError, match=r"model\.safetensors is damaged .* delete .* fetches it again"):
        weights.resolve(weights.DEFAULT, tmp_path)
    assert json.loads((target / "SOURCE.json").read_text())["name"] == pinned.name
