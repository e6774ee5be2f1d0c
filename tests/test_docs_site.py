"""The site of docs/: all of the program is in it, it is built without a warning, and it asks no other machine."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from typer.main import get_command

from flows.cli import app
from flows.parameters import GridRequest, PipelineRequest, RerunRequest
from flows.run_settings import Hints, RunSettings
from flows.settings import TOP
from tasks.stages import STAGES

DOCS = Path(__file__).parents[1] / "docs"
GENERATED = ("commands.md", "settings.md")
MODELS: dict[str, type[BaseModel]] = {
    **{f"[{stage.name}]": stage.settings for stage in STAGES},
    **{"[run]": RunSettings, "[run.hints.STAGE]": Hints},
    **{form.__name__: form for form in (PipelineRequest, RerunRequest, GridRequest)},
}
LOADS = {"script": "src", "link": "href", "img": "src", "source": "srcset", "iframe": "src", "object": "data"}


def reference() -> Any:
    spec = importlib.util.spec_from_file_location("reference", DOCS / "reference.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def leaves(command: Any, path: str = "dialoguellm") -> Iterator[tuple[str, Any]]:
    """Each command with its whole name."""
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
    for name, child in (children or {}).items():
        yield from leaves(child, f"{path} {name}")


# ---- what is generated


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_what_the_program_says(name: str) -> None:
    assert (DOCS / name).read_text() == reference().pages()[name], f"run: python docs/reference.py (docs/{name})"


def test_every_command_and_option_is_documented() -> None:
    page = (DOCS / "commands.md").read_text()
    for path, command in leaves(get_command(app)):
        assert f"# `{path}`\n" in page, path
        for parameter in command.params:
            assert getattr(parameter, "help", None), f"{path}: {parameter.name} has no help"


def test_every_setting_is_documented() -> None:
    page = (DOCS / "settings.md").read_text()
    sections = dict(re.findall(r"^##+ (.+)\n([\s\S]*?)(?=^##+ |\Z)", page, flags=re.M))
    shared = sections["Every stage"] + sections["A model's server"] + sections["[evaluate]"]
    for section, model in MODELS.items():
        for name, field in model.model_fields.items():
            assert field.description, f"{section} {name}: write what it is for in a docstring under it"
            assert f"- `{name}`: " in sections[section] + shared, f"{section} {name}"
    assert all(f"- `{name}`: " in sections["Outside of all tables"] for name in TOP)


# ---- the site


def test_every_page_is_in_the_navigation_once() -> None:
    trees = re.findall(r"```\{toctree\}\n(.*?)```", (DOCS / "index.md").read_text(), flags=re.S)
    listed = Counter(line for tree in trees for line in tree.split("\n") if line and not line.startswith(":"))
    there = Counter(page.stem for page in DOCS.glob("*.md") if page.stem != "index")
    assert listed == there, "name each page in one toctree of docs/index.md"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for module in ("sphinx", "myst_parser", "furo"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install 'dialoguellm[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(folder / "doctrees")]
    built = subprocess.run([*command, str(DOCS), str(folder / "html")], capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder / "html"


def test_the_site_is_built_without_a_warning(site: Path) -> None:
    assert {page.stem for page in DOCS.glob("*.md")} <= {page.stem for page in site.glob("*.html")}


def test_no_page_loads_anything_from_another_machine(site: Path) -> None:
    class Loaded(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.found: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found += [value or "" for name, value in attrs if LOADS.get(tag) == name]

    pages = sorted(site.rglob("*.html"))
    for page in pages:
        parser = Loaded()
        parser.feed(page.read_text())
        assert len(parser.found) > 3, page
        assert not [link for link in parser.found if re.match(r"[a-z]+:|//", link) and not link.startswith("data:")]
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//|@import", style.read_text()), style
