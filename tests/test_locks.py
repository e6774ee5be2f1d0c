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


def locked(text: str) -> dict[str, Requirement]:
    found = [Requirement(line.removesuffix(" \\")) for line in text.splitlines() if re.match(r"[a-zA-Z0-9]", line)]
    assert len({one.name for one in found}) == len(found)
    return {canonicalize_name(one.name): one for one in found}


def version(one: Requirement) -> str:
    (found,) = one.specifier
    assert found.operator == "=="
    return found.version


EVERY = {**locked(LOCKS["base"]), **locked(LOCKS["torch"])}


def test_everything_that_is_asked_for_is_locked_within_its_bounds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    for asked in map(Requirement, [*project["dependencies"], *extras["dev"], *extras["docs"]]):
        if asked.name == project["name"]:  # another extra of ours
            assert asked.extras == {"docs"}
            continue
        assert asked.specifier.contains(version(EVERY[canonicalize_name(asked.name)])), asked


def test_versions_are_those_of_the_constraints() -> None:
    rows = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    pinned = {canonicalize_name(one.name): version(one) for one in map(Requirement, rows)}
    both = pinned.keys() & EVERY.keys()
    assert {name: pinned[name] for name in both} == {name: version(EVERY[name]) for name in both}
    assert len(both) > 140


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_has_hashes_and_no_file_names_where_it_is_from(name: str) -> None:
    text = LOCKS[name]
    for block in re.split(r"(?m)^(?=[a-zA-Z0-9])", text)[1:]:
        first, *hashes = block.strip().split(" \\\n")
        assert "==" in first
        assert hashes, first
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}", one) for one in hashes), first
    assert not re.search(r"://|--(?:extra-)?index|--find-links| @ |file:", text)


def test_torch_is_apart_from_the_rest() -> None:
    assert "torch" in locked(LOCKS["torch"])
    assert not {name for name in locked(LOCKS["base"]) if name.startswith(("torch", "nvidia", "triton", "cuda"))}
    installing = (ROOT / "install.sh").read_text()
    assert all(f"--require-hashes -r locks/{name}.txt" in installing for name in LOCKS)


def test_every_licence_is_listed_and_copyleft_is_told_of() -> None:
    with (ROOT / "locks" / "licences.csv").open(newline="") as file:
        rows = {canonicalize_name(row["name"]): row for row in csv.DictReader(file)}
    here = {name: one for name, one in locked(LOCKS["base"]).items() if not one.marker or one.marker.evaluate(LINUX)}
    listed = {name: row["version"] for name, row in rows.items() if name != "torch"}
    assert listed == {name: version(one) for name, one in here.items()}
    assert not [row for row in rows.values() if row["licence"].upper() in ("", "UNKNOWN")]
    told = (ROOT / "docs" / "security.md").read_text()
    copyleft = [row["name"] for row in rows.values() if COPYLEFT.search(row["licence"])]
    assert copyleft
    assert not [name for name in copyleft if f"`{name}`" not in told]
