"""Chat templates are programs of a model folder's author: they are filled in by a process that has limits.

The sandbox that the library runs them in bounds neither time nor memory: ranges in ranges, ``10 ** (10 ** 9)``. Within
``bounded`` the library's own methods are used as ever, and the one function in which they fill in a template is asked
of the process.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from model.child_process import ChildProcess, WorkerLost
from model.errors import WeightsError

SECONDS = 10.0
"""Of processor time, for one call. A template of the hub takes less than a millisecond."""
MEMORY = 2**29
"""Bytes beyond those of the process as it starts."""
ANSWERS_WITHIN_S = 600.0
"""Wall time; the limit above is the one that ends it, on a machine that does anything at all."""

_whose = threading.local()
_turn = threading.Lock()
_running: dict[int, _Filler] = {}
"""By the id of the process that asks: a copy of a process must not share its pipe."""
_own: list[Any] = []
"""The library's function, as it was."""


class TemplateFault(ValueError):
    """What a template raised; its text is in the template's author's hands."""


class _Filler(ChildProcess):
    def __init__(self) -> None:
        super().__init__("model.template_worker", [str(SECONDS), str(MEMORY)], {}, "the process of chat templates")

    def fill(self, given: dict[str, Any]) -> tuple[list[str], list[Any]]:
        """As transformers' render_jinja_template. Raises WorkerLost, TimeoutError; then it must be ended."""
        self._send_bytes(json.dumps(given, default=lambda _picture: "").encode())
        answer = self._receive(ANSWERS_WITHIN_S)
        if "fault" in answer:
            raise TemplateFault(answer["fault"])
        return answer["texts"], answer["indices"]


@contextmanager
def bounded(name: str) -> Iterator[None]:
    """Meanwhile this thread has its templates filled in by the process. ``name`` is the model's, for an error.

    Raises WeightsError where a template takes more than SECONDS or MEMORY, TemplateFault where it raises anything.
    """
    _put_in_place()
    _whose.model = name
    try:
        yield
    finally:
        _whose.model = None


def check(template: str, name: str) -> None:
    """Raises WeightsError where a template takes too much to be read: a constant in it is computed by that."""
    with suppress(TemplateFault):  # what it refuses is looked at by those who use it
        _fill(name, {"conversations": [[{"role": "user", "content": "probe"}]], "chat_template": template})


def _put_in_place() -> None:
    """The library's methods call it by its name in their modules."""
    from transformers import processing_utils, tokenization_utils_base

    for module in (tokenization_utils_base, processing_utils):
        if module.render_jinja_template is not _render:
            _own.append(module.render_jinja_template)
            module.render_jinja_template = _render


def _render(**given: Any) -> Any:
    """In place of transformers' render_jinja_template."""
    name = getattr(_whose, "model", None)
    return _own[0](**given) if name is None else _fill(name, given)


def _fill(name: str, given: dict[str, Any]) -> tuple[list[str], list[Any]]:
    with _turn:
        filler = _running.get(os.getpid())
        if filler is None or not filler.alive():
            filler = _running[os.getpid()] = _Filler()
        try:
            return filler.fill(given)
        except (WorkerLost, TimeoutError) as error:
            del _running[os.getpid()]
            how = filler.end()
            raise WeightsError(
                f"{name}: its chat template was ended ({how}): it may take {SECONDS:g} s and {MEMORY >> 20} MB; mend it"
            ) from error


@atexit.register
def _end() -> None:
    if filler := _running.pop(os.getpid(), None):
        filler.end()
