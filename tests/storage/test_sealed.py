"""Records know a digest of themselves."""

from __future__ import annotations

import json
import random

import pytest

from storage import sealed

RECORD = {"shard": 3, "stage_key": "k", "error": "name \udcff", "list": [1, {"a": None}], "z": 0.5}


def test_what_was_written_comes_back_and_is_plain_json() -> None:
    data = sealed.dumps(RECORD)
    assert sealed.loads(data) == RECORD
    assert json.loads(data) == {sealed.SEAL: json.loads(data)[sealed.SEAL], **RECORD}


@pytest.mark.parametrize("value", [{}, [], [1], "text", None])
def test_what_is_no_object_has_no_digest(value: object) -> None:
    assert sealed.loads(sealed.dumps(value)) == value


def test_what_an_earlier_program_wrote_is_read_as_it_is() -> None:
    assert sealed.loads(json.dumps(RECORD, indent=1).encode()) == RECORD


def test_every_flipped_bit_is_noticed_or_harmless() -> None:
    data = sealed.dumps(RECORD)
    noticed = 0
    for place in range(8 * len(data)):
        other = bytearray(data)
        other[place // 8] ^= 1 << place % 8
        try:
            found = sealed.loads(bytes(other))
            assert {name: found[name] for name in RECORD} == RECORD
        except ValueError:
            noticed += 1
    assert noticed > 0.9 * 8 * len(data)


def test_every_cut_and_every_zeroed_stretch_is_noticed() -> None:
    data = sealed.dumps(RECORD)
    rng = random.Random(1)
    for length in range(len(data) - 1):  # but for the line's end
        with pytest.raises(ValueError, match=r"."):
            sealed.loads(data[:length])
        start = rng.randrange(40, len(data) - 9)
        with pytest.raises(ValueError, match=r"."):
            sealed.loads(data[:start] + bytes(8) + data[start + 8 :])
