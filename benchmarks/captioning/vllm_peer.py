"""vLLM as a peer of the captioner: a child process under another interpreter, started once and asked each round."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from model import machine
from model.caption_chat import Clip, chat
from model.caption_prompt import CaptionPrompt

CHILD = Path(__file__).with_name("vllm_child.py")
SHARED: dict[str, Any] = {  # nothing of one round is left for the next, which shows the same pictures
    **{"enable_prefix_caching": False, "mm_processor_cache_gb": 0, "enforce_eager": True, "seed": 0},
    **{"max_num_seqs": 64, "limit_mm_per_prompt": {"image": 4}},
}
DEMO: dict[str, Any] = {  # its tower is not among those of vLLM's own LLaVA, and its processor does not crop
    **{"model_impl": "transformers", "max_model_len": 512},
    "mm_processor_kwargs": {"crop_size": {"height": 160, "width": 160}},
}


class VllmPeer:
    """``folder`` loaded by vLLM under ``python``; float32 on a CPU, what vLLM chooses on a GPU."""

    def __init__(self, python: Path, folder: Path, *, demo: bool) -> None:
        options = SHARED | (DEMO if demo else {"max_model_len": 4096})
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
        environment |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_LOGGING_LEVEL": "ERROR"}
        environment.pop("PYTHONPATH", None)
        if not machine.has_gpu():
            options["dtype"] = "float32"
            cores = str(machine.cores())  # for the thread pool of vLLM's CPU build
            environment |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
            environment |= {"OMP_NUM_THREADS": cores, "KMP_BLOCKTIME": "0"}
        command = [python, CHILD, folder, json.dumps(options)]
        self._child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        self.version = str(self._read())

    def describe(self, clips: list[Clip], prompt: CaptionPrompt) -> list[str]:
        """The texts, greedy, all clips handed over at once."""
        asked = {"chats": [_chat(clip, prompt) for clip in clips], "max_tokens": prompt.limit}
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(asked) + "\n")
        self._child.stdin.flush()
        return list(self._read())

    def _read(self) -> Any:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit(f"vLLM ended with status {self._child.wait()}; what it said stands above")
        return json.loads(line)

    def close(self) -> None:
        self._child.terminate()
        self._child.wait()


def _chat(clip: Clip, prompt: CaptionPrompt) -> list[dict[str, Any]]:
    urls = (f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" for jpeg in clip.jpegs)
    return chat(clip, prompt, [{"type": "image_url", "image_url": {"url": url}} for url in urls])
