"""What the soak test runs: a cut of the demo, a language model of one narrow layer; and a Prefect server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model import weights

CONFIG = """
name = "soak"
workspace = "workspace"
seed = 7
model = {model!r}

[ingest]
corpus = "demo"
dialogues = {{train = 3, dev = 1, test = 2}}
shard_utterances = 8

[keyframes]
max_frames = 2
max_rejects = 0.2

[captions]
model = "demo"

[finetune]
max_steps = 6
batch_size = 4
learning_rate = 1e-3
checkpoint_every = 1

[calibrate]
enabled = true
"""
SPOILT = "test/dia0_utt0.mp4"


def write_config(folder: Path, cache: Path) -> Path:
    """The configuration, over a model that is made beside it."""
    path = folder / "soak.toml"
    if not path.exists():
        path.write_text(CONFIG.format(model=str(narrow(cache, folder / "narrow"))))
    return path


def narrow(cache: Path, folder: Path) -> Path:
    """The demo's language model cut to one narrow layer with random numbers: its tokenizer, a fortieth of its work."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    whole = weights.resolve(weights.DEFAULT, cache)
    config = AutoConfig.from_pretrained(whole)
    config.num_hidden_layers, config.hidden_size, config.intermediate_size = 1, 48, 96
    config.num_attention_heads, config.num_key_value_heads, config.head_dim = 3, 3, 16
    config.layer_types = None
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    AutoTokenizer.from_pretrained(whole).save_pretrained(folder)
    return folder


def make_workspace(folder: Path, cache: Path, *, drawn: bool) -> Path:
    """An empty workspace with the weights that all share; ``drawn``: with the demo's clips too, else they are drawn."""
    folder.joinpath("cache").mkdir(parents=True)
    for found in cache.iterdir():
        if drawn or not found.name.startswith("demo-"):
            place = folder / "cache" / found.name
            shutil.copytree(found, place) if found.name.startswith("demo-") else place.symlink_to(found)
    return folder


def spoil(workspace: Path) -> None:
    """Once ingest is done one clip is no video any more, so that there are rejects to lose."""
    if any(workspace.glob("lake/utterances/*/stage.json")):
        for clip in workspace.glob(f"cache/demo-*/**/{SPOILT}"):
            clip.write_bytes(b"no video")


def environment(home: Path, **more: str) -> dict[str, str]:
    """Of a new user on one core: an empty home, no Prefect profile, no hub."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    root = str(Path(__file__).parents[2])
    one = {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HOME": str(home), "PREFECT_HOME": str(home / "prefect")}
    quiet = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
    path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH", ""))))
    return {**kept, **one, **quiet, "PYTHONPATH": path, **more}


@contextmanager
def server(home: Path) -> Iterator[str]:
    """A Prefect server of its own; its API's address."""
    home.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = start_server(home, port)
    try:
        yield f"http://127.0.0.1:{port}/api"
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        process.kill()


def start_server(home: Path, port: int) -> subprocess.Popen[bytes]:
    """Starts it and waits until it answers. Raises TimeoutError."""
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment(home), stdout=log, stderr=log, start_new_session=True)
    end = time.monotonic() + 180
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/api/health", timeout=5) as answer:
            if answer.status == 200:
                return process
        time.sleep(0.5)
    process.kill()
    raise TimeoutError(f"the Prefect server on port {port} did not answer within 180 s; see {home / 'server.log'}")
