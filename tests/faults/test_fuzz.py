"""What is read from outside, given bytes of every kind: values or an error of our own, never another exception.

More of the same for hours, led by coverage: benchmarks/fuzz.py. What that found stands here as an example.
"""

from __future__ import annotations

import csv
import json

import pytest
from fuzz_seeds import SEEDS
from fuzz_targets import CORPORA, TARGETS, rows_can_be_stored
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.emotions import answers, labels, parse
from model.toml_text import value
from storage.shards import read_manifest
from tasks.corpora import table
from tasks.corpora.subtitles_cues import seconds
from tasks.grid import literal

FOUND: list[tuple[str, bytes]] = [
    ("manifest", b"\0" + b"[" * 100_000),
    ("seceu", SEEDS["seceu"][0].replace(b"[1, 2, 3, 4]", b"[1" + b"0" * 400 + b", 2, 3, 4]", 1)),
    ("settings", b'name = "a"\nseed = 0x' + b"f" * 5_000 + b"\n"),
    ("settings", b"a = " + b"[" * 5_000),
    ("grid", b"base = " + b"[" * 5_000),
    ("set", b"a=" + b"9" * 5_000),
    ("labels", "### a \u00b4\u00b4".encode()),
    ("manifest", SEEDS["manifest"][1].replace(b"shards", b"s(ards")),
]
"""Target and bytes that once raised something else."""

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def spoilt(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A good example of which a few pieces are cut out, doubled or written over."""
    data = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 4))):
        at_, to = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 2)))
        piece = draw(st.one_of(st.binary(max_size=4), st.just(data[at_:to] * 2), st.text(max_size=4).map(encoded)))
        data = data[:at_] + piece + data[to:]
    return data


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize("name", TARGETS)
def test_any_bytes_are_values_or_an_error_of_our_own(name: str) -> None:
    target = TARGETS[name]
    for seed in SEEDS[name]:
        target(seed)
    QUICK(given(st.one_of(spoilt(SEEDS[name]), st.binary(max_size=300), st.text(max_size=300).map(encoded)))(target))()


@pytest.mark.parametrize(("name", "data"), FOUND, ids=range(len(FOUND)))
def test_what_was_found(name: str, data: bytes) -> None:
    TARGETS[name](data)


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20).filter(
    lambda text: text.strip() and text.isprintable()
)


@QUICK
@given(st.lists(st.tuples(st.sampled_from(labels("meld")), WORDS, WORDS), min_size=1, max_size=5))
def test_a_table_that_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "round.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "dialogue_id", "turn", "emotion", "speaker", "text"])
        writer.writerows(("train", "a", turn, *line) for turn, line in enumerate(lines))
    kept = rows_can_be_stored(table.read(path, "meld"))
    assert [(row.emotion, row.turn) for row in kept] == [(line[0], turn) for turn, line in enumerate(lines)]


def clock(milliseconds: int) -> str:
    whole, thousandths = divmod(milliseconds, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{thousandths:03d}"


@QUICK
@given(st.integers(0, 10**8), st.integers(1, 10**6))
def test_times_that_were_written_are_read(start: int, length: int) -> None:
    assert seconds(f"{clock(start)} --> {clock(start + length)}") == (start / 1000, (start + length) / 1000)


@pytest.mark.parametrize("corpus", CORPORA)
def test_every_label_that_is_written_is_read(corpus: str) -> None:
    for words in ("own", "unified"):
        for label, answer in zip(labels(corpus), answers(corpus, words), strict=True):
            for said in (answer, answer.upper(), f"**{answer}**.", f"The emotion is {answer}, since joy is not shown."):
                assert parse(said, corpus) == label


LEAVES = st.one_of(st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False, allow_infinity=False), WORDS)


@QUICK
@given(st.one_of(LEAVES, st.lists(LEAVES, max_size=4)))
def test_a_value_of_a_grid_is_read_as_it_was_written(one: object) -> None:
    assert value(literal(one)) == one


@QUICK
@given(st.dictionaries(WORDS, st.one_of(LEAVES, st.none()), max_size=5))
def test_a_manifest_that_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, manifest: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "manifest.json"
    path.write_text(json.dumps(manifest))
    assert read_manifest(path) == manifest
