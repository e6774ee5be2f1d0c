from __future__ import annotations

from pathlib import Path

import pytest

from model import toml_text
from model.errors import SettingsError
from model.toml_text import MAX_CHARACTERS, MAX_DEPTH, loads, read, value

DEEP = MAX_DEPTH + 1
FAR = 20_000


def test_good_text() -> None:
    assert loads('a = 1\n[b.c]\nd = "x"\n', "f.toml") == {"a": 1, "b": {"c": {"d": "x"}}}
    assert loads(f"a = {toml_text.MAX_INTEGER - 1}", "") == {"a": toml_text.MAX_INTEGER - 1}
    assert loads(f"a = {'[' * (MAX_DEPTH - 1)}{']' * (MAX_DEPTH - 1)}", "")
    assert loads("a = 'one. two. three. " + "x.y " * 200 + "'", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = ", "Invalid value"),
        ("a = 1\na = 2", "Cannot overwrite a value"),
        ("a = 2026-13-45", "at line 1"),
        ("a = 2026-02-30", "Invalid date"),
        ("a = 25:61:61", "at line 1"),
        ("a = \x00", "at line 1"),
        ("a = '\ud800'\na = 1", "Cannot overwrite a value"),
        ("a = " + "9" * 5_000, "limit"),
        ("a = 0x" + "f" * 5_000, "64 bits"),
        (f"a = {toml_text.MAX_INTEGER}", "64 bits"),
        ("a = [[{b = -0xffffffffffffffffff}]]".replace("-", ""), "64 bits"),
        (f"a = {'[' * DEEP}{']' * DEEP}", "deep"),
        (f"a = {'[' * FAR}{']' * FAR}", "deep"),
        ("a = " + "{a = " * DEEP + "1" + "}" * DEEP, "deep"),
        ("a = " + "{a = " * FAR + "1" + "}" * FAR, "deep"),
        ("a." * FAR + "a = 1", "deep"),
        ("a . " * 500_000 + "a = 1", "deep"),
        ("[" + "'a'." * FAR + "a]", "deep"),
        ("[[" + '"a" . ' * FAR + "a]]", "deep"),
        ("[" + "a." * 20 + "a]\n" + "a." * 20 + "a = 1", "deep"),
    ],
    ids=range(20),
)
def test_everything_else_is_one_error_that_names_the_file(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        loads(text, "f.toml")
    assert str(caught.value).startswith("f.toml is not valid TOML: ")
    assert len(str(caught.value)) < 400


def test_no_text_of_the_largest_size_takes_longer_than_its_letters() -> None:
    for text in (
        "a" * MAX_CHARACTERS,
        "'" * MAX_CHARACTERS,
        '"a' * (MAX_CHARACTERS // 2),
        "a-" * (MAX_CHARACTERS // 2),
    ):
        with pytest.raises(SettingsError):
            loads(text, "f.toml")


def test_a_value_or_the_text_itself() -> None:
    assert [value(text) for text in ("1", "true", "'x'", "[1, 2]", "{a = 1}")] == [1, True, "x", [1, 2], {"a": 1}]
    for text in ("x", "", "a.b", "1 2", "[" * FAR, "9" * 5_000):
        assert value(text) == text


def test_a_file_is_read_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text("#" * MAX_CHARACTERS)
    assert len(read(path)) == MAX_CHARACTERS
    path.write_text("#" * (MAX_CHARACTERS + 1))
    with pytest.raises(SettingsError, match="more than 1,048,576 characters"):
        read(path)
    with pytest.raises(SettingsError, match="more than"):
        read(Path("/dev/zero"))
    path.write_bytes(b"\xff")
    with pytest.raises(UnicodeDecodeError):
        read(path)
