"""What all pages have in common: templates that escape every text, and text that hides nothing."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(folder: Path = Path(__file__).parent) -> Environment:
    """The templates of a folder, with those beside this file. Every value is escaped; a missing one is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        number="{:,}".format, clip=clip, percent=percent, signed=signed, p_value=p_value, duration=duration
    )
    return made


def visible(value: Any) -> Any:
    """Text without characters that show nothing or turn the text around; Markup and numbers as they are."""
    if type(value) is not str:
        return value
    return "".join(char for char in value if char in "\n\u200d" or unicodedata.category(char) not in ("Cc", "Cf", "Cs"))


def clip(text: str, length: int) -> str:
    """At most ``length`` characters of a text, the last an ellipsis where it is cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def percent(share: float | None) -> str:
    """A share (0 to 1) as a percentage with one decimal, a dash where unknown."""
    return "–" if share is None else f"{100 * share:.1f}"


def signed(share: float | None) -> str:
    """A difference of shares (-1 to 1) in points with its sign, a dash where unknown."""
    return "–" if share is None else f"{100 * share:+.1f}"


def p_value(value: float | None) -> str:
    """A p with three decimals; empty where there is none."""
    return "" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """Seconds of work as people say them: "3.2 s", "4 min 10 s", "2 h 5 min"; a dash where unknown."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60:,} h {minutes % 60} min"
