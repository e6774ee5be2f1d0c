"""Pairs of corpora whose lines meet, on own tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.check_leaks import against, within
from tasks.corpora.leaks import SAME
from tasks.ingest_settings import IngestSettings

HEAD = "split,dialogue_id,turn,speaker,text,emotion\n"


def table(folder: Path, labels: str, *lines: str) -> dict[str, object]:
    """A corpus of dialogues ``split|line|line|…``, each labelled neutral."""
    rows = [
        f"{split},{number},{turn},Ana,{text},neutral"
        for number, (split, *texts) in enumerate(line.split("|") for line in lines)
        for turn, text in enumerate(texts)
    ]
    path = folder / f"{labels}.csv"
    path.write_text(HEAD + "\n".join(rows) + "\n")
    return {"corpus": "table", "file": path, "labels": labels}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[dict[str, object], dict[str, object]]:
    one = table(tmp_path, "meld", "train|Who?|Me.|Who?|Me.", "dev|Rain.|Snow.", "test|Up.|Down.")
    two = table(tmp_path, "emorynlp", "train|Up.|Down.", "dev|a|b", "test|who|me", "test|Who!|Me!", "test|rain|snow")
    return one, two


def test_each_corpus_of_one_is_held_against_each_of_the_other(tmp_path: Path, pair: tuple[object, object]) -> None:
    joint = IngestSettings.model_validate({"corpus": "joint", "parts": pair})
    alone = IngestSettings.model_validate(pair[1])
    found = [(item.level, item.id, item.detail.partition(";")[0]) for item in against(joint, alone, tmp_path)]
    first = "2 of 4 lines say what 2 of 6 lines of table-emorynlp/test say, after the same line or in 8 words or more"
    assert found == [
        ("warning", "table-meld/train", first),
        ("info", "table-meld/train/0/1", "stands in table-emorynlp/test/2/1, table-emorynlp/test/3/1"),
        ("info", "table-meld/train/0/3", "stands in table-emorynlp/test/2/1, table-emorynlp/test/3/1"),
        ("info", "table-emorynlp/train", "no line of it stands in table-emorynlp/test"),
    ]


def test_a_single_corpus_is_looked_at_only_where_its_leaks_are_not_kept(tmp_path: Path) -> None:
    alone = IngestSettings.model_validate(table(tmp_path, "meld", "train|One.|Two.", "dev|a|b", "test|one|two"))
    from tasks import ingest
    from tasks.stage import Context

    lines = list(ingest.run({}, alone, Context(cache=tmp_path, folder=tmp_path)))
    assert list(within(lines, alone, tmp_path)) == []  # type: ignore[arg-type]
    first, _ = within(lines, alone.model_copy(update={"leaks": "drop"}), tmp_path)  # type: ignore[arg-type]
    assert first.detail == f"1 of 2 lines say what 1 of 2 lines of table-meld/test say, {SAME}; left out"
