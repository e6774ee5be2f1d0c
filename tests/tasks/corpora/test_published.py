from __future__ import annotations

from model.dialogue import SPLITS
from model.emotions import labels
from tasks.corpora.published import PUBLISHED
from tasks.ingest import READERS


def test_every_corpus_that_is_read_from_files_is_known() -> None:
    assert {*PUBLISHED} == {*READERS, "emorynlp-json"}
    assert all(tuple(splits) == SPLITS for splits in PUBLISHED.values())


def test_the_labels_are_the_corpus_own_and_add_up() -> None:
    for corpus, splits in PUBLISHED.items():
        for claim in splits.values():
            assert not claim.labels or tuple(claim.labels) == labels(corpus.removesuffix("-json"))
            assert not claim.labels or sum(claim.labels.values()) == claim.utterances
