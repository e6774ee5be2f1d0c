"""vLLM's own server on this machine, where its command is on the PATH; it may be that of another environment."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playing_server import refusing_port

MODULES = Path(__file__).parents[1] / "benchmarks" / "captioning"
PROGRAM = shutil.which("vllm")
ABSENT = "no vllm on the PATH (docs/gpu.md says how it is installed)"
ENVIRONMENT = {  # of its CPU build: a thread, a small cache, no core bound, no spinning while it waits
    **{"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": "1", "KMP_BLOCKTIME": "0"},
    **{"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"},
}


@contextmanager
def vllm_serving(model: Path, log: Path, *options: str, plugin: str = "") -> Iterator[str]:
    """Serves ``model`` in float32; its address ends in /v1. Takes half a minute to start on an idle CPU.

    ``plugin``: what vLLM calls in each of its processes, as "module:function" of benchmarks/captioning."""
    assert PROGRAM
    port = refusing_port()
    usual = ["--host", "127.0.0.1", "--port", str(port), "--dtype", "float32", "--max-model-len", "1024"]
    # not `vllm serve`: where the distribution is called vllm-cpu (0.32) that command does not find its own version
    program = [str(Path(PROGRAM).with_name("python")), "-m", "vllm.entrypoints.openai.api_server"]
    command = [*program, "--model", str(model), *usual, "--enforce-eager", "--max-num-seqs", "8", *options]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | ENVIRONMENT
    if plugin:
        environment["PYTHONPATH"] = f"{_entry_point(log.parent / 'plugin', plugin)}{os.pathsep}{MODULES}"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, start_new_session=True)
        try:
            while not _healthy(port):
                assert process.poll() is None, log.read_text()[-4000:]
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            finally:  # its engine is a process of its own
                _end(process.pid)


def _entry_point(folder: Path, plugin: str) -> Path:
    """A folder in which importlib finds ``plugin`` as an installed distribution's."""
    information = folder / "plugin-1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1\n")
    (information / "entry_points.txt").write_text(f"[vllm.general_plugins]\nplugin = {plugin}\n")
    return folder


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).is_success
    except httpx.TransportError:
        return False


def _end(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
