"""Which settings make sense together, and which of them decide the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.ingest_settings import IngestSettings

MELD, EMORY = {"corpus": "meld", "folder": "/x"}, {"corpus": "emorynlp", "folder": "/y"}


def joint(*parts: dict[str, Any], **more: Any) -> IngestSettings:
    return IngestSettings.model_validate({"corpus": "joint", "parts": parts or (MELD, EMORY), **more})


def test_what_only_a_table_has_is_in_no_other_key(tmp_path: Path) -> None:
    assert not {"file", "labels", "columns", "parts", "leaks"} & {*IngestSettings().key_fields()}
    assert not {"file", "labels", "columns"} & {*IngestSettings(corpus="meld", folder=tmp_path).key_fields()}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"corpus": "meld"}, "needs folder"),
        ({"corpus": "demo", "folder": "/x"}, "leave out folder"),
        ({"corpus": "emorynlp", "folder": "/x", "videos": "/y"}, "has no videos"),
        ({"corpus": "meld", "folder": "/x", "labels": "iemocap"}, 'corpus "meld" has no labels'),
        ({"corpus": "iemocap", "folder": "/x", "labels": "meld"}, '"iemocap4", "iemocap" and "iemocap8"'),
        ({"corpus": "iemocap", "folder": "/x", "file": "/y"}, 'corpus "iemocap" has no file'),
        ({"corpus": "iemocap"}, "needs folder"),
        ({"corpus": "subtitles", "labels": "meld"}, "needs folder"),
        ({"corpus": "subtitles", "folder": "/x"}, 'labels: "meld", "emorynlp" or "iemocap"'),
        ({"corpus": "subtitles", "folder": "/x", "labels": "meld", "file": "/y"}, 'corpus "subtitles" has no file'),
        ({"corpus": "table", "labels": "meld"}, "needs file"),
        ({"corpus": "table", "file": "/x.csv"}, 'labels: "meld", "emorynlp" or "iemocap"'),
        ({"corpus": "table", "file": "/x.csv", "labels": "mood"}, "'meld', 'emorynlp', 'iemocap', 'iemocap4' or"),
        ({"corpus": "table", "file": "/x.csv", "labels": "meld", "folder": "/x"}, "leave out folder"),
        ({"corpus": "table", "file": "/x.csv", "labels": "meld", "columns": {"text": "turn"}}, "the same name"),
        ({"corpus": "table", "file": "/x.csv", "labels": "meld", "columns": {"words": "x"}}, "'split', 'dialogue_id'"),
        ({"corpus": "meld", "folder": "/x", "columns": {"text": "x"}}, 'corpus "meld" has no columns'),
        ({"corpus": "meld", "folder": "/x", "parts": [MELD, EMORY]}, 'corpus "meld" has no parts'),
        ({"corpus": "joint"}, "two .* or more"),
        ({"corpus": "joint", "parts": [MELD]}, "two .* or more"),
        ({"corpus": "joint", "parts": [MELD, EMORY], "folder": "/x"}, "folder goes into one of them"),
        ({"corpus": "joint", "parts": [MELD, EMORY], "dialogues": {"train": 1}}, "dialogues goes into one of them"),
        ({"corpus": "joint", "parts": [MELD, EMORY], "labels": "meld"}, 'corpus "joint" has no labels'),
        ({"corpus": "joint", "parts": [MELD, {"corpus": "demo"}]}, '"demo" cannot be a part'),
        ({"corpus": "joint", "parts": [MELD, {"corpus": "joint", "parts": [MELD, EMORY]}]}, '"joint" cannot be a part'),
        ({"corpus": "joint", "parts": [MELD, {**EMORY, "seed": 0}]}, "seed holds for all parts"),
        ({"corpus": "joint", "parts": [MELD, {**EMORY, "leaks": "keep"}]}, "leaks holds for all parts"),
        ({"corpus": "joint", "parts": [MELD, {**MELD, "folder": "/y"}]}, "two parts are called meld"),
        ({"corpus": "joint", "parts": [MELD, {"corpus": "emorynlp"}]}, "needs folder"),
        ({"corpus": "joint", "parts": [MELD, {**EMORY, "bogus": 1}]}, "Extra inputs"),
        ({"corpus": "meld", "folder": "/x", "leaks": "maybe"}, "'drop', 'refuse' or 'keep'"),
        ({"dialogues": {"train": 0}}, "greater than or equal to 1"),
        ({"dialogues": {"trian": 3}}, "'train', 'dev' or 'test'"),
        ({"corpora": "demo"}, "Extra inputs"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        IngestSettings.model_validate(settings)


def test_parts_are_single_corpora_with_what_is_set_once() -> None:
    made = joint({**MELD, "dialogues": {"train": 3}}, EMORY, seed=5)
    assert [(one.corpus, one.label_set(), one.seed, one.leak_rule()) for one in made.corpora()] == [
        ("meld", "meld", 5, "keep"),
        ("emorynlp", "emorynlp", 5, "keep"),
    ]
    alone = IngestSettings.model_validate(MELD)
    assert alone.corpora() == (alone,)
    assert not joint().has_videos()
    assert joint({**MELD, "videos": "/v"}, EMORY).has_videos()


def test_a_joint_corpus_is_read_back_as_it_was_recorded() -> None:
    made = joint({**MELD, "dialogues": {"train": 3}}, EMORY, seed=5, leaks="keep")
    assert IngestSettings.model_validate(made.model_dump(mode="json")) == made


def test_the_key_knows_the_parts_but_not_where_they_lie() -> None:
    assert joint().key_fields() == joint({**MELD, "folder": "/moved"}, EMORY).key_fields()
    assert joint().key_fields()["parts"] == [
        {"corpus": "meld", "dialogues": {}},
        {"corpus": "emorynlp", "dialogues": {}},
    ]
    others = [joint(EMORY, MELD), joint({**MELD, "dialogues": {"train": 3}}, EMORY), joint(leaks="keep"), joint(seed=1)]
    keys = [made.key_fields() for made in (joint(), *others)]
    assert all(one not in keys[:place] for place, one in enumerate(keys))


def test_leaks_are_in_the_key_only_where_they_are_not_as_ever() -> None:
    assert joint(leaks="drop").key_fields() == joint().key_fields()
    assert joint(leaks="keep").key_fields()["leaks"] == "keep"
    alone = IngestSettings.model_validate(MELD)
    assert alone.key_fields() == {"corpus": "meld", "dialogues": {}, "seed": 0, "shard_utterances": 128}
    assert alone.model_copy(update={"leaks": "keep"}).key_fields() == alone.key_fields()
    assert alone.model_copy(update={"leaks": "drop"}).key_fields()["leaks"] == "drop"
