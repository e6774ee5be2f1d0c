"""Why a flow stopped, as an artifact of Prefect's: the first error, and the line that takes the run up again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.artifacts import create_markdown_artifact

from flows.output import printable_lines
from model.errors import RunFailed, WorkspaceLocked

LONGEST = 20_000


@contextmanager
def told(name: str, again: str) -> Iterator[None]:
    """An error that leaves is put into the artifact ``failure-<name>``, and raised again.

    ``again`` is the command to give once what is wrong is mended; an error that names one itself comes first.
    """
    try:
        yield
    except Exception as error:
        create_markdown_artifact(
            markdown=page(error, again),
            key=key_of("failure", name),
            description="why it stopped, and the line that takes it up again",
        )
        raise


def page(error: Exception, again: str) -> str:
    """The artifact's text. What comes from outside stays text: it stands in a code block that it cannot end."""
    said = f"{error}" if isinstance(error, RunFailed) else f"{type(error).__name__}: {error}"
    lines = [printable_lines(said)[:LONGEST]]
    if "dialoguellm rerun" not in said and not isinstance(error, WorkspaceLocked):
        lines.append(f"  again: {printable_lines(again)}")
    return fenced("\n".join(lines))


def fenced(text: str) -> str:
    """A code block of Markdown, with a fence longer than any row of backticks in it."""
    longest = max((len(row) for row in "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def key_of(kind: str, *names: str) -> str:
    """A key as Prefect takes it: small letters, digits and hyphens."""
    text = "-".join([kind, *names]).lower()
    return "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in text).split())[:200]
