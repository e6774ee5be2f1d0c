"""How much of this machine a process may use: its cores and its free memory."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
MEMINFO = Path("/proc/meminfo")


def cores() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0))


def free_memory() -> int:
    """Bytes that can be had without taking them from anyone: the machine's, or less within a container's limit."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")]
    for line in _text(MEMINFO).splitlines():
        if line.startswith("MemAvailable:"):
            found = [1024 * int(line.split()[1])]
    limit, used = _text(CGROUP / "memory.max").strip(), _text(CGROUP / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        found.append(max(int(limit) - int(used), 0))
    return min(found)


def has_gpu() -> bool:
    """Whether there is a GPU of the one kind that is used, without asking torch."""
    return Path("/dev/nvidia0").exists()


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
