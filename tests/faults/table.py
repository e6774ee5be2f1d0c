"""Prints the table of docs/video-faults.md: what each bad file comes to and costs on this machine.

cd tests && python -m faults.table
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
from faults.bad_videos import FRAMES, SUSPECT, Case, Kit, build, every_case

from model.errors import VideoError
from tasks.video.options import Options
from tasks.video.process import Worker

NAME_LENGTH = 40


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        kit = Kit(Path(folder, "videos"), Path(folder, "outside"), port=9)
        kit.root.mkdir()
        kit.outside.mkdir()
        missing = build(kit, every_case())
        print(*HEAD, sep="\n")
        worker = Worker(3 * 2**30)
        try:
            for case in every_case():
                measured = "–, –" if case.name in missing else ", ".join(_measured(worker, kit, case))
                print(f"{row(case)} {measured.replace(', ', ' | ')} |")
        finally:
            worker.end()


HEAD = ("| file | tries | comes to | CPU s | peak MB |", "|---|---|---|---:|---:|")


def row(case: Case) -> str:
    """The part of a case's row that is the same on every machine."""
    name = ascii(case.name)[1:-1].replace("\\'", "'").replace("|", "\\|").replace("`", "'")
    shown = name if len(name) <= NAME_LENGTH else f"{name[:NAME_LENGTH]}…"
    outcome = {FRAMES: "frames", SUSPECT: "frames, marked suspect"}.get(case.outcome, f"`{case.outcome}`")
    return f"| `{shown}` | {case.tries} | {outcome} |"


def _measured(worker: Worker, kit: Kit, case: Case) -> Iterator[str]:
    process = psutil.Process(worker._process.pid)
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak starts anew
    before = sum(process.cpu_times()[:2])
    found = worker.extract((kit.root, case.name, [(0.0, None)]), Options())[0]
    reason = found.reason if isinstance(found, VideoError) else FRAMES
    assert reason == case.outcome or case.outcome == SUSPECT, (case.name, found)
    yield f"{sum(process.cpu_times()[:2]) - before:.2f}"
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    yield f"{int(peak[1]) / 1000:.0f}" if peak else "–"


if __name__ == "__main__":
    main()
