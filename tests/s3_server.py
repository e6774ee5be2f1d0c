"""A real S3 server (moto's) in a process of its own, for tests of workspaces in a bucket."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import pytest

SERVE = """
import logging, threading
logging.getLogger("werkzeug").setLevel(logging.ERROR)
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
threading.Event().wait()
"""
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}

_numbers = count()


@contextmanager
def serving() -> Iterator[dict[str, str]]:
    """The environment in which the server that runs meanwhile is S3. Skips the test where moto is not installed."""
    missing = [name for name in ("boto3", "moto", "flask", "flask_cors") if find_spec(name) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: pip install -e '.[s3]' 'moto[server]'")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", SERVE], env=kept, stdout=subprocess.PIPE)
    try:
        assert process.stdout
        port = int(process.stdout.readline())
        yield {**KEYS, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    finally:
        process.kill()
        process.communicate()


def new_workspace(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, copies: Path) -> str:
    """Makes a bucket and sets this process up to reach it; the URL of a workspace in it."""
    from storage.remote import bucket_of

    for name, value in {**environment, "DIALOGUELLM_COPIES": str(copies), "AWS_CONFIG_FILE": "/nonexistent"}.items():
        monkeypatch.setenv(name, value)
    name = f"lab-{os.getpid()}-{next(_numbers)}"
    url = f"s3://{name}/work"
    bucket_of(url)._client.create_bucket(Bucket=name)
    return url
