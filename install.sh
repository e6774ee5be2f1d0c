#!/bin/sh
# Makes .venv and installs the locked versions. Without an NVIDIA GPU it asks for PyTorch's small CPU build first.
set -eu
cd "$(dirname "$0")"
PYTHON="${PYTHON:-python3}"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "dialoguellm needs Python 3.11 or newer; '$PYTHON' is $("$PYTHON" --version). Try: make PYTHON=python3.11" >&2
    exit 1
}
[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv

torch=$(sed -n 's/^torch==//p' constraints.txt)
if [ "$(uname -s)" = Linux ] && [ ! -e /proc/driver/nvidia/version ]; then
    .venv/bin/python -m pip install --disable-pip-version-check "torch==$torch+cpu" || cat >&2 <<EOF
No CPU build of PyTorch $torch at your package index: taking the default build, which is several GB.
To get the small one, stop here and set PIP_EXTRA_INDEX_URL to the CPU index named on PyTorch's "Get Started" page.
EOF
fi
.venv/bin/python -m pip install --disable-pip-version-check -c constraints.txt -e ".[dev]"
