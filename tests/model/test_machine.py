from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from model import machine


def test_what_this_machine_has() -> None:
    assert machine.cores() == len(psutil.Process().cpu_affinity())
    assert 0 < machine.free_memory() <= psutil.virtual_memory().total


def test_a_containers_limit_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemFree: 2 kB\nMemAvailable:    4000 kB\n")
    assert machine.free_memory() == 4_096_000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("7\n")
    assert machine.free_memory() == 4_096_000
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert machine.free_memory() == 2_000_000
    (tmp_path / "memory.current").write_text("3000001\n")
    assert machine.free_memory() == 0
