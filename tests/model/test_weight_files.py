from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from model import weight_files
from model.errors import WeightsError


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_model, tmp_path / "model")
    return tmp_path / "model"


def edit(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def refused(folder: Path, match: str) -> None:
    with pytest.raises(WeightsError, match=match) as found:
        weight_files.check(folder)
    assert "\n" not in str(found.value)


def test_a_good_folder_passes(folder: Path) -> None:
    weight_files.check(folder)


def test_shapes_are_read_from_the_headers(folder: Path) -> None:
    from safetensors.numpy import load_file

    found = {name: value.shape for name, value in load_file(folder / "model.safetensors").items()}
    assert weight_files.shapes(folder) == found


def test_the_number_format_is_that_of_the_configuration(folder: Path) -> None:
    assert weight_files.dtype(folder) == "float32"
    config = json.loads((folder / "config.json").read_text())
    del config["dtype"]
    (folder / "config.json").write_text(json.dumps({**config, "torch_dtype": "bfloat16"}))  # the older name
    assert weight_files.dtype(folder) == "bfloat16"
    (folder / "config.json").write_text(json.dumps({**config, "dtype": ["float32"]}))
    assert weight_files.dtype(folder) is None


def test_what_must_be_there(folder: Path, tmp_path: Path) -> None:
    refused(tmp_path, "config.json is missing")
    (folder / "tokenizer.json").unlink()
    refused(folder, "no tokenizer")
    (folder / "model.safetensors").unlink()
    refused(folder, "holds no weights")


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pkl"])
def test_formats_that_can_run_code_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    refused(folder, "formats that can run code")


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_its_own_is_refused(folder: Path, name: str) -> None:
    edit(folder / name, auto_map={"AutoModelForCausalLM": "modeling_evil.Evil"})
    refused(folder, "auto_map")


def test_an_adapter_is_not_a_model(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")
    refused(folder, "holds an adapter")


def test_damaged_headers_and_truncated_files_are_refused(folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for data in (whole[:-1], whole + b"x", whole[:100], b"", b"\xff" * 8 + whole[8:], b"\0" * len(whole)):
        path.write_bytes(data)
        refused(folder, "is damaged")


def test_damaged_json_is_refused(folder: Path) -> None:
    for text in ("{", "[" * 100_000):
        (folder / "config.json").write_text(text)
        refused(folder, "is not JSON")


def test_a_missing_shard_is_noticed(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    refused(folder, "model-00002-of-00002.safetensors' is missing")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-00001-of-00002.safetensors"}}))
    weight_files.check(folder)
    index.write_text(json.dumps({"weight_map": {"a": "../other/model.safetensors"}}))
    refused(folder, "is missing")


def test_digest_follows_the_content_not_the_place(folder: Path, tiny_model: Path) -> None:
    first = weight_files.digest(tiny_model)
    assert weight_files.digest(folder) == first
    (folder / "README.md").write_text("notes")
    (folder / "SOURCE.json").write_text("{}")
    assert weight_files.digest(folder) == first


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"])
def test_digest_sees_a_change_of_one_byte(folder: Path, name: str) -> None:
    first = weight_files.digest(folder)
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    assert weight_files.digest(folder) != first


def test_digest_of_a_big_file_reads_samples_only(folder: Path) -> None:
    path = folder / "model.safetensors"
    with path.open("r+b") as handle:
        handle.truncate(1 << 40)  # a sparse terabyte: reading it all would never end
    first = weight_files.digest(folder)
    with path.open("r+b") as handle:
        handle.seek((1 << 40) - 1)
        handle.write(b"x")
    assert weight_files.digest(folder) != first
