from __future__ import annotations

import pytest

from tasks.corpora.strict_json import loads


def test_what_has_one_meaning_is_read() -> None:
    assert loads('{"a": [1, 2.5, null, true, {"b": "x"}]}') == {"a": [1, 2.5, None, True, {"b": "x"}]}


def test_an_object_with_a_key_twice_is_none() -> None:
    assert loads('{"emotion": "joy", "emotion": "anger"}') is None
    assert loads('[{"a": 1}, {"a": 1, "\\u0061": 1}]') == [{"a": 1}, None]


@pytest.mark.parametrize(
    "text", ["NaN", '{"a": Infinity}', "[-Infinity]", "[" * 100_000, '{"a":' * 100_000, "9" * 5_000, "", "{", "'a'"]
)
def test_everything_else_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)
