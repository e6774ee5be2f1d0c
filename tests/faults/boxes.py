"""The boxes of an MP4 file, taken apart and put together again."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

PARENTS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"dinf", b"edts", b"moof", b"traf"})

Change = Callable[[bytes], bytes]


def box(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(payload), kind) + payload


def edited(data: bytes, changes: Mapping[bytes, Change]) -> bytes:
    """``data`` with the payload of each kind of box changed; the sizes around it follow."""
    out, at = b"", 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        payload = data[at + 8 : at + size]
        if kind in PARENTS:
            payload = edited(payload, changes)
        out += box(kind, changes.get(kind, bytes)(payload))
        at += size
    return out


def table(*rows: tuple[int, ...], head: bytes = b"") -> Change:
    """A full box of version 0 that holds ``rows`` of 32-bit numbers after their count."""
    payload = bytes(4) + head + struct.pack(">I", len(rows))
    return lambda _: payload + b"".join(struct.pack(f">{len(row)}I", *row) for row in rows)


def samples(data: bytes, count: int, size: int, delta: int, chunks: int = 1) -> bytes:
    """``data`` with its index replaced: ``count`` samples of ``size`` bytes, all in ``chunks`` chunks at one place."""
    place = data.index(b"mdat") + 4
    return edited(
        data,
        {
            b"stts": table((count * chunks, delta)),
            b"ctts": table(),
            b"stss": table((1,)),
            b"elst": table(),
            b"stsc": table((1, count, 1)),
            b"stsz": lambda _: bytes(4) + struct.pack(">II", size, count * chunks),
            b"stco": table(*[(place,)] * chunks),
        },
    )
