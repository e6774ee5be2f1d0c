"""The locked packages: all that pyproject.toml asks for, in the versions of constraints.txt, each file by its hash."""

from __future__ import annotations

import csv
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = {name: (ROOT / "locks" / f"{name}.txt").read_text() for name in ("base", "torch")}
COPYLEFT = re.compile(r"GPL|MPL|Mozilla|EUPL|CDDL|EPL|Eclipse", re.IGNORECASE)
LINUX = {"python_full_version": "3.11.7", "python_version": "3.11", "sys_platform": "linux", "os_name": "posix"}
LINUX |= {"platform_machine": "x86_64", "platform_system": "Linux", "implementation_name": "cpython"}
LINUX |= {"platform_python_implementation": "CPython"}


def rows(text: str) -> list[Requirement]:
    """The packages of a file, those that no Linux with Python 3.11 installs left out."""
    lines = [line.removesuffix(" \\") for line in text.splitlines() if re.match(r"[a-zA-Z0-9]", line)]
    return [one for one in map(Requirement, lines) if not one.marker or one.marker.evaluate(LINUX)]


def versions(*texts: str) -> dict[str, str]:
    found = [(canonicalize_name(one.name), str(one.specifier)) for text in texts for one in rows(text)]
    assert all(re.fullmatch(r"==[^,*=]+", version) for _, version in found)
    assert len({name for name, _ in found}) == len(found)
    return {name: version.removeprefix("==") for name, version in found}


EVERY = versions(*LOCKS.values())
CPU = (ROOT / "locks" / "torch-cpu.txt").read_text()


def test_everything_that_is_asked_for_is_locked_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for asked in map(Requirement, [*project["dependencies"], *extras["dev"], *extras["docs"]]):
        if asked.name == project["name"]:  # another extra of ours
            assert asked.extras == {"docs"}
            continue
        assert asked.specifier.contains(EVERY[canonicalize_name(asked.name)]), asked


def test_versions_are_those_of_the_constraints() -> None:
    pinned = versions((ROOT / "constraints.txt").read_text())
    both = pinned.keys() & EVERY.keys()
    assert {name: pinned[name] for name in both} == {name: EVERY[name] for name in both}
    assert len(both) > 140


@pytest.mark.parametrize("text", [*LOCKS.values(), CPU], ids=[*LOCKS, "torch-cpu"])
def test_every_package_has_hashes_and_no_file_names_where_it_is_from(text: str) -> None:
    for block in re.split(r"(?m)^(?=[a-zA-Z0-9])", text)[1:]:
        first, *hashes = block.strip().split(" \\\n")
        assert "==" in first
        assert hashes, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", one) for one in hashes), first
    assert not re.search(r"://|--(?:extra-)?index|--find-links| @ |file:", text)


def test_torch_is_apart_from_the_rest() -> None:
    assert "torch" in versions(LOCKS["torch"])
    assert not {name for name in versions(LOCKS["base"]) if name.startswith(("torch", "nvidia", "triton", "cuda"))}
    installing = (ROOT / "install.sh").read_text()
    assert all(f"--require-hashes -r locks/{name}.txt" in installing for name in (*LOCKS, "torch-cpu"))


def test_the_cpu_build_of_torch_is_that_version_by_its_hash() -> None:
    """Two machines and four Pythons; nothing is installed but by a file of hashes, apart from this project itself."""
    assert versions(CPU) == {"torch": f"{EVERY['torch']}+cpu"}
    assert CPU.count("--hash=sha256:") == 8
    assert not {*re.findall(r"[0-9a-f]{64}", CPU)} & {*re.findall(r"[0-9a-f]{64}", LOCKS["torch"])}
    commands = re.findall(r"(?<!pip )\binstall (-.*)", (ROOT / "install.sh").read_text())
    assert [one for one in commands if "--require-hashes" not in one] == ["--no-build-isolation -e ."]


def test_every_licence_is_listed_and_copyleft_is_told_of() -> None:
    with (ROOT / "locks" / "licences.csv").open(newline="") as file:
        listed = {canonicalize_name(row["name"]): row for row in csv.DictReader(file)}
    assert {name: row["version"] for name, row in listed.items() if name != "torch"} == versions(LOCKS["base"])
    assert not [row for row in listed.values() if row["licence"].upper() in ("", "UNKNOWN")]
    told = (ROOT / "docs" / "security.md").read_text()
    copyleft = [row["name"] for row in listed.values() if COPYLEFT.search(row["licence"])]
    assert copyleft
    assert not [name for name in copyleft if f"`{name}`" not in told]
