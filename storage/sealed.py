"""JSON that carries a digest of itself, so that a changed byte is noticed and not believed.

The first line after the brace holds it; the rest is the text that ``json.dumps`` writes. What was written without one,
by an earlier program, is read as it is.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

SEAL = "_sha256"
_HEAD = f'{{\n "{SEAL}": "'.encode()
_TAIL = b'",\n'
_DIGITS = 16
_BODY = len(_HEAD) + _DIGITS + len(_TAIL)


def dumps(value: Any) -> bytes:
    """``value`` as JSON; an object that holds anything with a digest of the rest in its first line."""
    text = json.dumps(value, indent=1, sort_keys=True, default=str).encode() + b"\n"
    if not text.startswith(b"{\n"):
        return text
    body = text.removeprefix(b"{\n")
    return _HEAD + _digest(body) + _TAIL + body


def loads(data: bytes) -> Any:
    """What was written, without its digest. Raises ValueError where it is no JSON or not what was written."""
    if not data.startswith(_HEAD):
        return json.loads(data)
    if data[len(_HEAD) : _BODY] != _digest(data[_BODY:]) + _TAIL:
        raise ValueError("it is not what was written")
    return json.loads(b"{\n" + data[_BODY:])


def _digest(body: bytes) -> bytes:
    return sha256(body).hexdigest()[:_DIGITS].encode()
