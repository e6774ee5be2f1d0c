"""The rules that hold the rooms apart: imports go one way, files stay short, every source file has its test."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("model", "storage", "tasks", "flows")
"""Each may import those before it."""

HEAVY = {"torch", "transformers", "peft", "accelerate", "cv2", "av", "sklearn", "scipy", "matplotlib"}
LINES = 300

STARTS_PROCESSES = {
    "model/pinned_file.py",
    "model/child_process.py",
    "model/training_workers.py",
    "tasks/apart.py",
    "tasks/demo/clip.py",
    "flows/settings.py",
}
"""pip for a pinned file, helpers of a training run, decoders and captioners for many lines each, a model for
all shards of its stage, the demo's drawing, git once a run: nothing an utterance."""

ELSEWHERE = {
    "model/test_caption_processes": ("model/caption_process", "model/caption_worker"),
    "model/test_detectors": ("model/small_network",),
    "model/test_face_weights": ("model/pinned_cache",),
    "model/test_gguf_import": ("model/pinned_file",),
    "model/test_template_process": ("model/template_worker",),
    "tasks/test_fsck": ("storage/fsck_files",),
    "test_cues_run": ("tasks/caption_detections",),
    "test_end_to_end": ("flows/server_log",),
    "tasks/test_apart": ("tasks/apart_worker",),
    "test_deployments": ("flows/version",),
    "flows/test_pipeline": ("flows/stages", "flows/announce"),
    "tasks/demo/test_draw": (
        "tasks/demo/canvas",
        "tasks/demo/draw_face",
        "tasks/demo/draw_person",
        "tasks/demo/draw_place",
    ),
    "tasks/demo/test_render": ("tasks/demo/clip",),
    "tasks/demo/test_train_captioner": tuple(
        f"tasks/demo/captioner_{part}"
        for part in ("card", "crowd", "data", "language", "model", "optimizer", "score", "vision")
    ),
    "tasks/video/test_pool": ("tasks/video/outcome",),
}
"""Test files that cover other source files than their own, which are parts of it."""


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(nodes: Iterator[ast.AST]) -> set[str]:
    """Top-level names of the modules that these nodes import."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found.add((node.module or "").partition(".")[0])
    return found


def when_imported(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when a module is imported: not function bodies, not ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        yield from when_imported(node)


@pytest.mark.parametrize("path", sources(*ROOMS), ids=name)
def test_imports_go_one_way(path: Path) -> None:
    found = imported(ast.walk(ast.parse(path.read_text())))
    room = path.relative_to(ROOT).parts[0]
    later = {*ROOMS[ROOMS.index(room) + 1 :]}
    assert not found & later, f"{room} must not import {', '.join(found & later)}"
    assert room == "flows" or "prefect" not in found, "only flows imports prefect"
    assert "tests" not in found


@pytest.mark.parametrize("path", sources(*ROOMS), ids=name)
def test_importing_a_module_is_light(path: Path) -> None:
    found = imported(when_imported(ast.parse(path.read_text()))) & HEAVY
    assert not found, f"import {', '.join(found)} inside the functions that use it"


@pytest.mark.parametrize("path", sources(*ROOMS), ids=name)
def test_videos_are_decoded_in_one_way(path: Path) -> None:
    """OpenCV's reader is silent about damage and shows interlaced films black; a program per clip costs a decoding."""
    text = path.read_text()
    assert "VideoCapture" not in text
    found = imported(ast.walk(ast.parse(text)))
    starting = {"subprocess", "ffmpeg", "imageio_ffmpeg"} & found or "os.system" in text or "os.popen" in text
    assert bool(starting) == (name(path) in STARTS_PROCESSES)
    assert "av" not in found or "tasks/video/" in name(path)


@pytest.mark.parametrize(
    "module",
    [
        "flows.cli",
        "flows.guard",
        "flows.settings",
        "tasks.check",
        "tasks.stages",
        "tasks.drive",
        "tasks.fsck",
        "storage.warehouse",
    ],
)
def test_the_command_line_loads_neither_prefect_nor_torch(module: str, tmp_path: Path) -> None:
    script = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout.split()
    assert module.partition(".")[0] in found
    assert not {*found} & {*HEAVY, "prefect", "duckdb"}


@pytest.mark.parametrize("path", sources(*ROOMS, "tests", "benchmarks", "configs"), ids=name)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text().splitlines()) < LINES


@pytest.mark.parametrize("path", [path for path in sources(*ROOMS) if path.name != "__init__.py"], ids=name)
def test_every_source_file_has_its_test(path: Path) -> None:
    own = path.relative_to(ROOT).with_name(f"test_{path.name}")
    there = (ROOT / "tests" / own).is_file()
    others = [test for test, covered in ELSEWHERE.items() if name(path).removesuffix(".py") in covered]
    assert there or others, f"tests/{own} is missing"
    assert not (there and others), f"{name(path)} has a test of its own now"
    assert all((ROOT / "tests" / f"{test}.py").is_file() for test in others)


@pytest.mark.parametrize("path", sources(*ROOMS), ids=name)
def test_every_module_says_what_it_is(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body


def test_the_checks_see_what_they_should() -> None:
    tree = ast.parse(
        "from __future__ import annotations\nimport os.path\nfrom typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import torch\n"
        "class A:\n    import cv2\n    def f(self):\n        import av\n"
        "try:\n    import sklearn\nexcept ImportError:\n    pass\n"
    )
    assert imported(when_imported(tree)) == {"__future__", "os", "typing", "cv2", "sklearn"}
    assert {"torch", "av"} < imported(ast.walk(tree))
