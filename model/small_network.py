"""Small networks in TensorFlow Lite's format, run on one picture at a time, in one thread."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import SettingsError, WeightsError

Array = NDArray[np.float32]
MISSING = (
    'captions.people and captions.expressions need ai-edge-litert: `pip install "dialoguellm[cues]"`, or leave them off'
)


def installed() -> bool:
    """Whether the runtime is here. Imports nothing."""
    return find_spec("ai_edge_litert") is not None


class SmallNetwork:
    """A network of a ``.tflite`` file. One picture at a time, so that what it says of one hangs on no other."""

    def __init__(self, path: Path) -> None:
        """WeightsError for a file that cannot be loaded, SettingsError where the runtime cannot."""
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:  # part of it is missing, or it is for another machine
            raise SettingsError(f"{MISSING} ({error})") from error
        self._lock = Lock()
        try:
            self._interpreter: Any = Interpreter(model_content=path.read_bytes(), num_threads=1)
            self._interpreter.allocate_tensors()
        except (OSError, RuntimeError, ValueError) as error:
            raise WeightsError(f"{path} cannot be loaded ({error}); delete it and run again") from error

    def __call__(self, picture: Array) -> list[Array]:
        """The outputs for one picture of the input's shape without its first axis, each without its first axis."""
        with self._lock:  # shards may be worked on by threads
            (given,) = self._interpreter.get_input_details()
            self._interpreter.set_tensor(given["index"], picture[None])
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(one["index"])[0] for one in self._interpreter.get_output_details()]
