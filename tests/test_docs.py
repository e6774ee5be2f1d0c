"""The README's commands are real: every command line it shows is one that the program accepts."""

from __future__ import annotations

import re
import shlex
from itertools import takewhile
from pathlib import Path

import pytest
from typer.main import get_command

from flows.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def shown(page: Path) -> list[str]:
    """The command lines in a page's code blocks, prompt and comment removed."""
    blocks = re.findall(r"^```(?:console|sh|bash)\n(.*?)^```", page.read_text(), flags=re.M | re.S)
    lines = [line.removeprefix("$ ").strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(("dialoguellm ", "make ", "prefect "))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_parse(page: Path) -> None:
    root = get_command(app)
    for line in shown(page):
        name, *words = takewhile(lambda word: word not in ("|", ">"), shlex.split(line, comments=True))
        if name != "dialoguellm" or "--help" in words:
            continue
        context = root.make_context(name, words, resilient_parsing=False)
        chosen, group = context, root
        rest = [*context._protected_args, *context.args]
        while rest and hasattr(group, "get_command"):
            group = group.get_command(chosen, rest[0])
            assert group is not None, f"{page.name}: no command {rest[0]!r} in: {line}"
            chosen = group.make_context(rest[0], rest[1:], parent=chosen)
            rest = [*chosen._protected_args, *chosen.args] if hasattr(group, "get_command") else []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    for line in shown(page):
        if line.startswith("make "):
            assert line.split()[1] in targets, f"{page.name}: {line}"


def test_the_readme_shows_both_commands() -> None:
    lines = shown(ROOT / "README.md")
    assert any(line.startswith("make demo") for line in lines)
    assert any(line.startswith("make test") for line in lines)


def test_every_command_has_help_and_an_example() -> None:
    def leaves(command: object, path: str) -> list[tuple[str, object]]:
        children = getattr(command, "commands", None)
        if children is None:
            return [(path, command)]
        return [leaf for name, child in children.items() for leaf in leaves(child, f"{path} {name}".strip())]

    for path, command in leaves(get_command(app), ""):
        assert getattr(command, "help", None), path
        assert str(getattr(command, "epilog", None)).startswith(f"Example: dialoguellm {path}"), path


def test_local_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} links to {target}"
