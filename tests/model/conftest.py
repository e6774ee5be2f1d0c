"""Fixtures that more than one test file of this room uses."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_captioners import build_idefics3, build_llava


@pytest.fixture(scope="session")
def tiny_captioner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a LLaVA model with random weights for AutoModelForImageTextToText; read-only."""
    return build_llava(tmp_path_factory.mktemp("tiny") / "llava")


@pytest.fixture(scope="session")
def tiny_idefics3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an Idefics3 model with random weights, whose pictures cost different numbers of tokens; read-only."""
    return build_idefics3(tmp_path_factory.mktemp("tiny") / "idefics3")
