"""A victim as a copy of this process, which has the libraries loaded: it starts at once instead of in seconds."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from crashes.victim import Ear

LIBRARIES = (
    *("flows.cli", "flows.guard", "flows.settings", "flows.direct", "tasks.drive", "pyarrow.parquet", "duckdb"),
    *("torch", "transformers", "peft", "safetensors.torch", "sklearn.linear_model", "matplotlib.figure", "scipy.stats"),
)


def preload(environment: Mapping[str, str]) -> None:
    """Loads what a run loads; no thread is started, nothing of the project is called."""
    os.environ.update(environment)
    for name in LIBRARIES:
        import_module(name)
    import transformers

    for name in ("AutoModelForCausalLM", "AutoTokenizer", "LlamaForCausalLM"):
        getattr(transformers, name)


class Forked:
    """As subprocess.Popen: ``pid``, ``returncode``, ``poll``, ``wait``."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> None:
        self.returncode: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            _be_the_victim(arguments, environment, folder, log)

    def poll(self) -> int | None:
        return self._wait(os.WNOHANG)

    def wait(self) -> int | None:
        return self._wait(0)

    def _wait(self, how: int) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, how)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def _be_the_victim(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> None:
    code = 1
    try:
        os.setsid()
        os.chdir(folder)
        with log.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.environ.clear()
        os.environ.update(environment)
        spec = json.loads(environment["SOAK_SPEC"])
        sys.addaudithook(Ear(int(environment["SOAK_PIPE"]), environment["SOAK_ROOT"], spec))
        sys.argv = ["dialoguellm", *arguments]
        from flows.cli import main

        main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
