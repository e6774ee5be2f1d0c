#!/bin/sh
# Makes .venv and installs what locks/ names: each file only if its SHA-256 stands there. Without an NVIDIA GPU it asks for
# PyTorch's small CPU build first, which is not on the package index that the others come from.
set -eu
cd "$(dirname "$0")"
PYTHON="${PYTHON:-python3}"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "dialoguellm needs Python 3.11 or newer; '$PYTHON' is $("$PYTHON" --version). Try: make PYTHON=python3.11" >&2
    exit 1
}
[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv

install() {
    .venv/bin/python -m pip install --disable-pip-version-check --no-deps "$@"
}

torch=$(sed -n 's/^torch==//p' constraints.txt)
has_torch() {
    case "$(.venv/bin/python -c 'from importlib.metadata import version; print(version("torch"))' 2>/dev/null)" in
    "$torch" | "$torch+"*) ;;
    *) return 1 ;;
    esac
}
if [ "$(uname -s)" = Linux ] && [ ! -e /proc/driver/nvidia/version ]; then
    has_torch || install --only-binary :all: --require-hashes -r locks/torch-cpu.txt || cat >&2 <<END
No CPU build of PyTorch $torch that locks/torch-cpu.txt knows is at your package index: taking the default build, which is
several GB.
To get the small one, stop here and set PIP_EXTRA_INDEX_URL to the CPU index named on PyTorch's "Get Started" page.
END
fi
has_torch || install --only-binary :all: --require-hashes -r locks/torch.txt
install --only-binary :all: --require-hashes -r locks/base.txt
install --no-build-isolation -e .
.venv/bin/python -m pip check --disable-pip-version-check
