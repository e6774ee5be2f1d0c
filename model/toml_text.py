"""TOML from outside, such as a configuration: values in bounded time, or one error that names the file.

tomllib alone raises other exceptions than its own (numbers of thousands of digits, tables in tables in tables), and
takes time by the square of the parts of a dotted key.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from model.errors import SettingsError

MAX_CHARACTERS, MAX_DEPTH, MAX_INTEGER = 1 << 20, 32, 1 << 63
"""Of a file, of tables and lists within each other, and TOML's own of whole numbers (64 bits)."""

_PART = r"""(?:"[^"\n]*+"|'[^'\n]*+'|(?<![\w-])[\w-]++)"""
_DEEP = re.compile(rf"(?:{_PART}[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}")


def read(path: Path) -> str:
    """The text of a file. OSError and UnicodeDecodeError as of Path, SettingsError where it is too large."""
    with path.open(encoding="utf-8") as file:
        text = file.read(MAX_CHARACTERS + 1)
    if len(text) > MAX_CHARACTERS:
        raise SettingsError(f"{path} has more than {MAX_CHARACTERS:,} characters: is it a configuration?")
    return text


def loads(text: str, source: str) -> dict[str, Any]:
    """The values of ``text``; ``source`` names it. Raises SettingsError."""
    fault = f"{source} is not valid TOML: "
    deep = f"{fault}tables and lists stand in each other more than {MAX_DEPTH} deep"
    if _DEEP.search(text):
        raise SettingsError(deep)
    try:
        values = tomllib.loads(text)
    except RecursionError as error:
        raise SettingsError(deep) from error
    except ValueError as error:  # TOMLDecodeError is one; so is a number of too many digits
        raise SettingsError(fault + str(error)[:300]) from error
    inside: list[Any] = [values]
    for _ in range(MAX_DEPTH + 1):
        if any(type(value) is int and abs(value) >= MAX_INTEGER for value in inside):
            raise SettingsError(f"{fault}a whole number has more than 64 bits")
        inside = [item for value in inside for item in _items(value)]
    if inside:
        raise SettingsError(deep)
    return values


def value(text: str) -> Any:
    """One value as TOML writes it; ``text`` itself where it is none."""
    try:
        return loads(f"value = {text}", "a value")["value"]
    except SettingsError:
        return text


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [*value.values()]
    return value if isinstance(value, list) else []
