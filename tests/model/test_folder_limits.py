"""Files of a model folder that are refused before they are parsed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from model import folder_limits
from model.errors import WeightsError
from model.folder_limits import asks_for_code, check_claims, check_files, check_header, read_json


def test_plain_files_of_its_own_pass(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "same.json").symlink_to("config.json")
    check_files(tmp_path, tmp_path.iterdir())


def test_the_hub_clients_links_pass(tmp_path: Path) -> None:
    blob = tmp_path / "blobs" / "abc"
    blob.parent.mkdir()
    blob.write_text("{}")
    folder = tmp_path / "snapshots" / "commit"
    folder.mkdir(parents=True)
    (folder / "config.json").symlink_to("../../blobs/abc")
    check_files(folder, folder.iterdir())
    (folder / "other.json").symlink_to("../../refs")
    with pytest.raises(WeightsError, match="leads nowhere"):
        check_files(folder, [folder / "other.json"])


def test_links_pipes_and_giants_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("{}")
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "out.json").symlink_to("../secret")
    (folder / "loop.json").symlink_to("loop.json")
    os.mkfifo(folder / "pipe.json")
    with (folder / "giant.json").open("wb") as file:
        file.truncate(1 << 40)
    for name, said in (
        ("out", "link out"),
        ("loop", "leads nowhere"),
        ("pipe", "no plain file"),
        ("giant", "at most 64"),
    ):
        with pytest.raises(WeightsError, match=rf"{name}\.json .*{said}"):
            check_files(folder, [folder / f"{name}.json"])
    monkeypatch.setattr(folder_limits, "FILES", 2)
    with pytest.raises(WeightsError, match="more than 2 files"):
        check_files(tmp_path, [tmp_path / "secret"] * 3)


def test_a_header_of_a_terabyte(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    with pytest.raises(WeightsError, match="claims 1,099,511,627,776 bytes"):
        check_header(path)
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    check_header(path)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"num_hidden_layers": 10**6}, "1,000,000 layers, the files hold 20 tensors"),
        ({"text_config": {"n_layer": 21}}, "21 layers"),
        ({"hidden_size": 64, "vocab_size": 10**9}, "64 × 1,000,000,000 numbers, the files hold 1,000"),
        ({"vision_config": {"hidden_size": 10**7}}, "10,000,000 × 0 numbers"),
    ],
)
def test_claims_that_the_weights_cannot_bear(config: dict[str, object], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        check_claims(Path("config.json"), config, 20, 1000)
    check_claims(Path("config.json"), {"num_hidden_layers": 20, "hidden_size": 8, "vocab_size": 100}, 20, 1000)


def test_code_is_found_at_any_depth() -> None:
    assert asks_for_code({"a": [{"b": {"auto_map": {}}}]})
    assert not asks_for_code({"a": [{"b": "auto_map"}]})


def test_json_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    for text in ("{", "[" * 100_000):
        path.write_text(text)
        with pytest.raises(WeightsError, match="is not JSON"):
            read_json(path)
    path.write_text(json.dumps([1]))
    assert read_json(path) == {}
