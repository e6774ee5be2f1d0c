from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from pathlib import Path

import playing_hub
import pytest

from model import gguf_import, weights
from model.errors import WeightsError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub client, which is told that there is no network."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def remember(hub: Path, model: Path, branch: str = "main") -> Path:
    """Put ``model`` into the hub client's cache as org/tiny, as a download would have."""
    home = hub / "models--org--tiny"
    shutil.copytree(model, home / "snapshots" / COMMIT)
    (home / "refs").mkdir()
    (home / "refs" / branch).write_text(COMMIT)
    return home / "snapshots" / COMMIT


def test_the_default_is_identified_by_its_pin_alone() -> None:
    found = weights.identity("smollm2-135m-instruct")
    assert found == weights.identity("HuggingFaceTB/SmolLM2-135M-Instruct")
    assert "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53" in found
    assert weights.DEFAULT in weights.REGISTRY


def test_where_others_find_a_model(hub: Path, tiny_model: Path) -> None:
    found = weights.origin("smollm2-135m-instruct")
    assert (found.name, found.on_hub, found.licence) == ("HuggingFaceTB/SmolLM2-135M-Instruct", True, "Apache-2.0")
    assert "dequantised" in found.note
    assert weights.origin(str(tiny_model)) == weights.Origin(tiny_model.name)
    remember(hub, tiny_model)
    assert weights.origin("org/tiny") == weights.Origin("org/tiny", on_hub=True, revision=COMMIT)
    with pytest.raises(WeightsError):
        weights.origin("no such model")


def test_the_room_that_a_fetch_takes_is_known_for_registered_models_alone(tiny_model: Path) -> None:
    pinned = weights.REGISTRY[weights.DEFAULT]
    assert weights.room(weights.DEFAULT) == weights.room(pinned.name) == pinned.room > 5 * pinned.size
    assert weights.room(str(tiny_model)) == weights.room("org/model") == 0


def test_a_folder_is_checked_and_used_in_place(tiny_model: Path, tmp_path: Path) -> None:
    assert weights.resolve(str(tiny_model), tmp_path) == tiny_model
    shutil.copytree(tiny_model, tmp_path / "copy")
    assert weights.identity(str(tmp_path / "copy")) == weights.identity(str(tiny_model))
    (tmp_path / "copy" / "config.json").unlink()
    with pytest.raises(WeightsError, match="is not a model folder"):
        weights.resolve(str(tmp_path / "copy"), tmp_path)
    with pytest.raises(WeightsError, match="is not a model folder"):
        weights.identity(str(tmp_path / "copy"))


@pytest.mark.parametrize("name", ["", "smollm", "./missing", "/missing/model", "a/b/c", "a b/c", "org/model@", "../x"])
def test_names_that_mean_nothing(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    for ask in (lambda: weights.resolve(name, tmp_path), lambda: weights.identity(name)):
        with pytest.raises(WeightsError):
            ask()


def test_identity_needs_no_torch(tiny_model: Path) -> None:
    code = (
        "import sys; from model import weights; weights.identity(weights.DEFAULT); "
        f"weights.identity({str(tiny_model)!r}); print('torch' in sys.modules, 'transformers' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["False", "False"]


def test_a_remembered_hub_model_needs_no_network(hub: Path, tiny_model: Path, tmp_path: Path) -> None:
    folder = remember(hub, tiny_model)
    assert weights.at_hand("org/tiny", tmp_path)
    assert weights.identity("org/tiny") == f"hub:org/tiny@{COMMIT}"
    assert weights.identity("org/tiny@main") == weights.identity(f"org/tiny@{COMMIT}")
    assert weights.resolve("org/tiny", tmp_path) == folder
    assert weights.resolve(f"org/tiny@{COMMIT}", tmp_path) == folder


def test_a_hub_model_that_is_not_whole_is_not_used(hub: Path, tiny_model: Path, tmp_path: Path) -> None:
    folder = remember(hub, tiny_model)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    assert not weights.at_hand("org/tiny", tmp_path)
    with pytest.raises(WeightsError, match="hub cannot be reached"):
        weights.resolve("org/tiny", tmp_path)


@pytest.mark.usefixtures("hub")
def test_no_hub_is_one_quick_line(tmp_path: Path) -> None:
    for name in ("org/tiny", "org/tiny@dev", f"org/tiny@{COMMIT}"):
        with pytest.raises(WeightsError, match="set the model to a local folder") as found:
            weights.resolve(name, tmp_path)
        assert "\n" not in str(found.value)
    with pytest.raises(WeightsError, match="cannot be reached"):
        weights.identity("org/tiny")
    assert weights.identity(f"org/tiny@{COMMIT}") == f"hub:org/tiny@{COMMIT}"


@pytest.mark.parametrize("name", ["org/gated", f"org/gated@{COMMIT}"])
def test_a_gated_model_says_how_to_get_in(name: str, tmp_path: Path) -> None:
    code = (
        "from pathlib import Path\nfrom model import weights\nfrom model.errors import WeightsError\n"
        f"try:\n    weights.resolve({name!r}, Path('.'))\nexcept WeightsError as error:\n    print(error)"
    )
    with playing_hub.hub() as address:
        page = f"ask for access at {address}/org/gated; once it is granted, "
        stranger = playing_hub.asked(address, tmp_path, code)
        assert stranger == f"org/gated is gated: {page}`hf auth login` (or set HF_TOKEN), run again\n"
        known = playing_hub.asked(address, tmp_path, code, token="hf_0")
        assert known == f"org/gated is gated, and this account has no access to it (yet): {page}run again\n"
        assert "has no model org/nothing" in playing_hub.asked(address, tmp_path, code.replace(name, "org/nothing"))


def test_of_two_processes_one_fetches_and_the_other_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installs: list[Path] = []
    waiting = threading.Event()

    def install(_pinned: object, target: Path, _progress: object) -> None:
        installs.append(target)
        assert waiting.wait(60)
        target.mkdir()
        (target / "SOURCE.json").write_text('{"files": {}}')

    def report(_done: int, _total: int, what: str) -> None:
        if what.startswith("waiting for another process"):
            waiting.set()

    monkeypatch.setattr(gguf_import, "install", install)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(weights.resolve(weights.DEFAULT, tmp_path, progress=report)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(installs) == 1
    assert weights.at_hand(weights.DEFAULT, tmp_path)
    assert not weights.at_hand(weights.DEFAULT, tmp_path / "elsewhere")
    assert found == [installs[0]] * 2
