"""Hostile model folders: each attack changes a sound folder; what is said of it, and at what cost.

cd tests && python -m faults.folder_attacks prints the table of docs/security.md.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Attack = Callable[[Path], None]


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def tensors(folder: Path, header: dict[str, Any], data: bytes = b"") -> None:
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def numbers(count: int, start: int, end: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [count], "data_offsets": [start, end]}


def header_of_a_terabyte(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 40) + b"{}" * 100)


def tensor_of_terabytes(folder: Path) -> None:
    tensors(folder, {"a": numbers(1 << 40, 0, 4 << 40)}, b"x" * 100)


def tensors_overlap(folder: Path) -> None:
    tensors(folder, {"a": numbers(4, 0, 16), "b": numbers(4, 8, 24)}, b"x" * 24)


def bytes_of_no_tensor(folder: Path) -> None:
    tensors(folder, {"a": numbers(4, 0, 16)}, b"x" * 32)


def million_tensors(folder: Path) -> None:
    each = (b'"t%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}' % n for n in range(400_000))
    text = b"{" + b",".join(each) + b"}"
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)


def million_layers(folder: Path) -> None:
    edit(folder / "config.json", num_hidden_layers=1_000_000)


def huge_vocabulary(folder: Path) -> None:
    edit(folder / "config.json", vocab_size=10**12)


def json_of_a_terabyte(folder: Path) -> None:
    with (folder / "config.json").open("r+b") as file:
        file.truncate(1 << 40)


def json_without_end(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 10_000_000)


def pickle_alone(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def code_in_config(folder: Path) -> None:
    (folder / "modeling_evil.py").write_text("raise SystemExit('code of a model folder was run')")
    edit(
        folder / "config.json",
        auto_map={"AutoConfig": "modeling_evil.Evil", "AutoModelForCausalLM": "modeling_evil.Evil"},
    )


def code_in_tokenizer(folder: Path) -> None:
    (folder / "tokenization_evil.py").write_text("raise SystemExit('code of a model folder was run')")
    edit(folder / "tokenizer_config.json", auto_map={"AutoTokenizer": ["tokenization_evil.Evil", None]})


def link_to_other_weights(folder: Path) -> None:
    other = folder.with_name("other.safetensors")
    (folder / "model.safetensors").rename(other)
    (folder / "model.safetensors").symlink_to(other)


def link_to_a_secret(folder: Path) -> None:
    (folder / "generation_config.json").unlink(missing_ok=True)
    (folder / "generation_config.json").symlink_to("/etc/passwd")


def link_to_a_device(folder: Path) -> None:
    (folder / "extra.json").symlink_to("/dev/zero")


def pipe(folder: Path) -> None:
    os.mkfifo(folder / "extra.json")


def index_leads_out(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.with_name("up.safetensors"))
    index(folder, {"weight_map": {"a": "../up.safetensors"}})


def index_is_odd(folder: Path) -> None:
    index(folder, {"weight_map": ["model.safetensors"]})


def index(folder: Path, value: object) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps(value))


def missing_shards(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-99999.safetensors")


def adapter_for_a_model(folder: Path) -> None:
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "evil/model"}))


def giant_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{# " + "x" * 2_000_000 + " #}")


ATTACKS: dict[Attack, tuple[str, str]] = {
    header_of_a_terabyte: ("a safetensors header that claims a terabyte", "is damaged: its header claims"),
    tensor_of_terabytes: ("a tensor of 4 TB in a file of 100 bytes", "is damaged"),
    tensors_overlap: ("two tensors that share bytes", "is damaged"),
    bytes_of_no_tensor: ("bytes that belong to no tensor", "is damaged"),
    million_tensors: ("a header of 25 MB, 400,000 tensors", "is damaged: its header claims"),
    million_layers: ("a configuration of a million layers", "claims 1,000,000 layers"),
    huge_vocabulary: ("a configuration of 10^12 words", "numbers, the files hold"),
    json_of_a_terabyte: ("a sparse config.json of a terabyte", "a model's has at most 64"),
    json_without_end: ("ten million open brackets", "is not JSON"),
    pickle_alone: ("a pickle in place of safetensors", "formats that can run code"),
    code_in_config: ("auto_map with its Python file", "asks for code of its own"),
    code_in_tokenizer: ("auto_map of a tokenizer", "asks for code of its own"),
    link_to_other_weights: ("weights that are a link to another folder", "is a link out of its folder"),
    link_to_a_secret: ("a link to /etc/passwd", "is a link out of its folder"),
    link_to_a_device: ("a link to /dev/zero", "is a link out of its folder"),
    pipe: ("a named pipe", "is no plain file"),
    index_leads_out: ("an index that names ../up.safetensors", "is not whole"),
    index_is_odd: ("an index of another form", "holds no weights"),
    missing_shards: ("one shard of 99,999", "is not whole"),
    adapter_for_a_model: ("an adapter that names another base", "holds an adapter, not a model"),
    giant_template: ("a chat template of 2 MB", "a model's has at most 1"),
}
"""Each attack with its name for people and what the error says."""


def main() -> None:
    from conftest import build_tiny_model

    from model import weight_files
    from model.errors import WeightsError

    with tempfile.TemporaryDirectory() as base:
        sound = build_tiny_model(Path(base, "sound"))
        print("| folder | what is said | s | MB |", "|---|---|---:|---:|", sep="\n")
        for number, (attack, (title, said)) in enumerate(ATTACKS.items()):
            folder = Path(base, f"{number}", "model")
            shutil.copytree(sound, folder)
            attack(folder)
            child = os.fork()
            if child == 0:
                before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
                told = ""
                try:
                    weight_files.check(folder)
                except WeightsError as error:
                    told = str(error)
                if said not in told:
                    os._exit(1)
                peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1000
                print(f"| {title} | {said} | {time.perf_counter() - started:.2f} | {peak:.0f} |", flush=True)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, attack


if __name__ == "__main__":
    main()
