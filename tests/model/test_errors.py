"""The family of errors: what its docstring draws is what there is."""

from __future__ import annotations

import re

from model import errors
from model.errors import DialogueError, RunFailed, VideoError


def family() -> list[type[DialogueError]]:
    found = [value for value in vars(errors).values() if isinstance(value, type)]
    return [value for value in found if issubclass(value, DialogueError)]


def test_the_drawing_shows_every_error() -> None:
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)", errors.__doc__ or "", re.MULTILINE)
    names = {kind.__name__ for kind in family()}
    assert names <= {*drawn}, f"not drawn: {', '.join(sorted(names - {*drawn}))}"


def test_what_they_carry() -> None:
    assert (VideoError("no_frames", "the video has no frames").reason, str(VideoError("a", "b"))) == ("no_frames", "b")
    assert (RunFailed("x").exit_code, RunFailed("x", exit_code=3).exit_code) == (1, 3)
