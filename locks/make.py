"""Makes what this folder holds, with the tools that `make lock`, `make licences` and `make sbom` install beside ours.

python locks/make.py lock        base.txt and torch.txt: every package with its version and the SHA-256 of each file
python locks/make.py licences    licences.csv: what each installed package says of its licence

Versions are those of constraints.txt. torch.txt is apart because PyTorch comes in builds: the CPU build has another
version, other files and no CUDA libraries.
"""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
OF_TORCH = re.compile(r"(torch|triton|nvidia-\S+|cuda-\S+)==")
HEAD = (
    "# Made by `make lock`, not by hand. Installed by install.sh, which takes a file only if its SHA-256 stands here.\n"
)


def lock() -> None:
    """Resolves for every platform and Python from 3.11 on; nothing that is not a wheel, as building runs code."""
    asked = ["--universal", "--python-version", "3.11", "--only-binary", ":all:", "--extra", "dev"]
    form = ["--generate-hashes", "--no-header", "--no-annotate", "--quiet", "-c", "constraints.txt", "pyproject.toml"]
    text = run("uv", "pip", "compile", *asked, *form)
    packages = [part for part in re.split(r"(?m)^(?=\S)", text) if part.strip()]
    for name, of_torch in (("base.txt", False), ("torch.txt", True)):
        chosen = [part for part in packages if bool(OF_TORCH.match(part)) is of_torch]
        (HERE / name).write_text(HEAD + "".join(chosen))


def licences() -> None:
    """Of the packages in .venv, PyTorch's CUDA libraries not among them where its CPU build is installed."""
    listed = ["--from=mixed", "--format=csv", "--order=name", "--with-system"]
    text = run("pip-licenses", f"--python={ROOT / '.venv/bin/python'}", *listed)
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["Name"] not in ("dialoguellm", "pip")]
    with (HERE / "licences.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["name", "version", "licence"])
        writer.writerows([row["Name"], row["Version"], " ".join(row["License"].split())] for row in rows)


def run(tool: str, *arguments: str) -> str:
    """What a tool prints; the tools lie beside this interpreter."""
    command = [str(Path(sys.executable).parent / tool), *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    {"lock": lock, "licences": licences}[sys.argv[1]]()
