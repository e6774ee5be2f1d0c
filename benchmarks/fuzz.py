"""What is read from outside, given bytes for as long as one likes: does it end in values or in an error of our own?

python benchmarks/fuzz.py [--quick] [--target srt --target table …] [--seconds 600] [--keep DIR]

The targets are those of tests/fuzz_targets.py, and the suite gives them hypothesis' bytes. With atheris (`pip install
atheris`; libFuzzer, led by the coverage of our rooms and of tomllib, json and csv) new bytes are made of those that
reached new code; without it of the seeds, by chance. Each target has a process of its own, with a limit of 2 GiB and of
10 s an input. The floor: no finding, that is no other exception, no broken promise, no input that takes longer.
Findings are kept under DIR, each with its traceback, and belong into a test.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "tests")]

ROOMS = ["model", "storage", "tasks", "flows", "tomllib", "json", "csv"]
LONGEST_INPUT, LONGEST_S, MEMORY_MIB = 4096, 10, 2048
SHARED = re.compile(r"stat::number_of_executed_units: (\d+)")


def main() -> None:
    options = arguments()
    if options.child:
        child(options.target[0], options.seconds, options.keep)
        return
    from fuzz_targets import TARGETS
    from rich.console import Console
    from rich.table import Table

    engine = "atheris" if find_spec("atheris") else "mutations"
    with tempfile.TemporaryDirectory(prefix="fuzz-") as temporary:
        keep = (options.keep or Path(temporary)).resolve()
        results = []
        for name in options.target or TARGETS:
            results.append(fuzz(name, 5 if options.quick else options.seconds, keep / name))
            print(f"{name}: {results[-1]}", file=sys.stderr, flush=True)
    table = Table("target", "executions", "seconds", "of a core", "a second", "findings", title=engine)
    for found in results:
        rate = found["executions"] / max(found["cpu_seconds"], 1e-9)
        table.add_row(
            found["target"],
            f"{found['executions']:,}",
            f"{found['seconds']:.0f}",
            f"{found['cpu_seconds']:.0f}",
            f"{rate:,.0f}",
            str(found["findings"]),
        )
    Console(width=100).print(table)
    total = {key: sum(one[key] for one in results) for key in ("executions", "findings")}
    print(json.dumps({"engine": engine, **total, "targets": results}))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="5 s a target")
    parser.add_argument("--target", action="append", default=[], help="one of tests/fuzz_targets.py; all by default")
    parser.add_argument("--seconds", type=int, default=600, help="of each target")
    parser.add_argument("--keep", type=Path, help="a folder for findings and for bytes that reached new code")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def fuzz(name: str, seconds: int, keep: Path) -> dict[str, object]:
    """One target in a process of its own."""
    keep.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(Path(__file__).resolve()), "--child", "--target", name]
    started, used = time.monotonic(), cpu_seconds()
    with (keep / "log").open("w") as log:
        ended = subprocess.run(
            [*command, "--seconds", str(seconds), "--keep", str(keep)], stdout=log, stderr=log, timeout=seconds + 300
        )
    took = time.monotonic() - started
    executions = [int(number) for number in SHARED.findall((keep / "log").read_text(errors="replace"))]
    stopped = [path for path in keep.iterdir() if path.name.startswith(("timeout-", "oom-", "crash-"))]
    findings = len([*keep.glob("finding-*.txt")]) + len(stopped)
    if not executions or (ended.returncode and not findings):
        raise SystemExit(f"{name}: it ended with {ended.returncode}; look at {keep / 'log'}")
    return {
        "target": name,
        "executions": executions[-1],
        "seconds": round(took, 1),
        "cpu_seconds": round(cpu_seconds() - used, 1),
        "findings": findings,
    }


def cpu_seconds() -> float:
    """What the ended processes of targets have used of a core: on a busy machine less than the clock says."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def child(name: str, seconds: int, keep: Path) -> None:
    """Gives the target bytes until the time is over; an exception is kept and does not end it."""
    if find_spec("atheris") is None:
        from fuzz_seeds import SEEDS
        from fuzz_targets import TARGETS

        number = mutate(collecting(TARGETS[name], keep), SEEDS[name], seconds)
        print(f"stat::number_of_executed_units: {number}")
        return
    import atheris

    with atheris.instrument_imports(include=ROOMS):
        from fuzz_seeds import SEEDS
        from fuzz_targets import TARGETS
    corpus = keep / "corpus"
    corpus.mkdir(exist_ok=True)
    for seed in SEEDS[name]:
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={LONGEST_S}", f"-rss_limit_mb={MEMORY_MIB}"]
    form = [f"-max_len={LONGEST_INPUT}", f"-artifact_prefix={keep}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *limits, *form, str(corpus)], collecting(TARGETS[name], keep))
    atheris.Fuzz()


def collecting(target: Callable[[bytes], None], keep: Path) -> Callable[[bytes], None]:
    """The target, whose exceptions become files: one a place where they are raised."""
    seen: set[str] = set()

    def one(data: bytes) -> None:
        try:
            target(data)
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            sign = hashlib.sha256(f"{type(error)} {place.filename} {place.lineno}".encode()).hexdigest()[:8]
            if sign not in seen:
                seen.add(sign)
                (keep / f"finding-{sign}.bin").write_bytes(data)
                (keep / f"finding-{sign}.txt").write_text(traceback.format_exc())

    return one


def mutate(target: Callable[[bytes], None], seeds: list[bytes], seconds: int) -> int:
    """Pieces of the seeds doubled, cut, swapped and overwritten; how many were tried."""
    chance, end, number = random.Random(0), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        data = bytearray(chance.choice(seeds))
        for _ in range(chance.randint(1, 8)):
            at, to = sorted(chance.randrange(len(data) + 1) for _ in range(2))
            piece = chance.choice(
                (data[at:to] * 2, b"", chance.randbytes(chance.randint(1, 4)), chance.choice(seeds)[:to])
            )
            data[at:to] = piece
        target(bytes(data[:LONGEST_INPUT]))
        number += 1
    return number


if __name__ == "__main__":
    main()
