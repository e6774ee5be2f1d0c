"""The process that fills in chat templates: ``python -m model.template_worker PIPE SECONDS BYTES``.

    out  {"ready": true}
    in   what transformers' render_jinja_template takes
    out  {"texts": […], "indices": […]} | {"fault": "TemplateError: …"}

The kernel ends it where one request takes more processor time than SECONDS: also within one operation of Python's,
which no handler of its own could interrupt.
"""

from __future__ import annotations

import importlib
import json
import resource
import signal
import sys
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any


def main(descriptor: int, seconds: float, memory: int) -> None:
    """Serves requests until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    render = _library().render_jinja_template
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + memory,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with Connection(descriptor) as pipe:
        try:
            pipe.send_bytes(b'{"ready": true}')
            while True:
                given = json.loads(pipe.recv_bytes())
                signal.setitimer(signal.ITIMER_PROF, seconds)
                answer = _answer(render, given)
                signal.setitimer(signal.ITIMER_PROF, 0)
                pipe.send_bytes(answer)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            return


def _answer(render: Any, given: dict[str, Any]) -> bytes:
    try:
        texts, indices = render(**given)
        return json.dumps({"texts": texts, "indices": indices}).encode()
    except Exception as error:  # a template may raise anything
        return json.dumps({"fault": f"{type(error).__name__}: {error}"[:1000]}).encode()


def _library() -> Any:
    """transformers' module of chat templates, without the rest: that would take a second of every start."""
    spec = find_spec("transformers")
    for name, part in (("transformers", ""), ("transformers.utils", "utils")):
        bare = ModuleType(name)
        bare.__path__ = [str(Path(place, part)) for place in (spec and spec.submodule_search_locations) or ()]
        sys.modules[name] = bare
    try:
        return importlib.import_module("transformers.utils.chat_template_utils")
    except ImportError:  # of another version, whose module needs more
        for name in [name for name in sys.modules if name.partition(".")[0] == "transformers"]:
            del sys.modules[name]
        return importlib.import_module("transformers.utils.chat_template_utils")


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
