"""The artifact of a failure: what it says, and that text from outside stays text."""

from __future__ import annotations

import pytest
from markdown_it import MarkdownIt

from flows.failure import fenced, key_of, page
from model.errors import CorpusError, RunFailed, WorkspaceLocked

HOSTILE = [
    "```\n# Not a heading\n<img src=x onerror=alert(1)>",
    "`````\n[click](javascript:alert(1))\n````````",
    "~~~\n</code></pre><script>alert(1)</script>",
    "\x1b[2J\x07 \u202e text",
    "| a | b |\n|---|---|\n| <b>1</b> | 2 |",
    "    ```\n  ```  \n> quote",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_cannot_leave_its_block(text: str) -> None:
    (block,) = MarkdownIt("commonmark", {"html": True}).enable("table").parse(fenced(text))
    assert block.type == "fence"
    assert block.content == text + "\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_page_is_one_block_of_printable_text(text: str) -> None:
    (block,) = MarkdownIt("commonmark", {"html": True}).parse(page(RunFailed(text), "dialoguellm run demo"))
    assert block.type == "fence"
    assert all(c.isprintable() for c in block.content.replace("\n", ""))
    assert block.content.endswith("  again: dialoguellm run demo\n")


def test_the_error_and_one_line_that_takes_it_up() -> None:
    said = "captions: 1 of 3 shards failed; shard 1: boom\n  again: dialoguellm rerun demo-1 --failed"
    assert page(RunFailed(said), "dialoguellm run demo") == f"```\n{said}\n```"
    assert page(CorpusError("no line"), "dialoguellm run demo -w x") == (
        "```\nCorpusError: no line\n  again: dialoguellm run demo -w x\n```"
    )
    assert "again" not in page(WorkspaceLocked("another process runs demo"), "dialoguellm run demo")


def test_keys_are_what_prefect_takes() -> None:
    assert key_of("failure", "Demo_2.x") == "failure-demo-2-x"
    assert key_of("failure", "-é/../ß-") == "failure"
    assert len(key_of("failure", "a" * 999)) == 200
