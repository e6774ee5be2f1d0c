"""The paper's numbers, as the page sets them beside ours."""

from __future__ import annotations

import pytest

from tasks.paper_results import METRICS, about, rows, source, tables, value


def test_numbers_are_shares_by_table_row_and_corpus() -> None:
    assert value("Table 4", "w/o Context", "meld", "weighted_f1") == pytest.approx(0.6794)
    assert value("Table 3", "DialogueLLM", "emorynlp", "accuracy") == pytest.approx(0.4188)
    assert value("Table 4", "w/o Video Description", "iemocap", "accuracy") is None
    assert value("Figure 8", "3 epochs", "meld", "accuracy") is None
    assert value("Figure 8", "3 epochs", "meld", "weighted_f1") == pytest.approx(0.6685)
    assert value("Table 4", "w/o Context", "meld", "macro_f1") is None
    assert value("Table 9", "x", "meld", "accuracy") is None
    assert rows("Table 9") is None


def test_the_tables_agree_where_the_paper_repeats_itself() -> None:
    for corpus in ("meld", "iemocap", "emorynlp"):
        for metric in METRICS:
            full = value("Table 4", "DialogueLLM", corpus, metric)
            assert (
                full
                == value("Table 5", "0-shot", corpus, metric)
                == value("Table 7", "DialogueLLM, 0-shot", corpus, metric)
            )
            assert value("Table 3", "DialogueLLM", corpus, metric) == value("Table 5", "1-shot", corpus, metric)
        assert value("Figure 8", "10 epochs", corpus, "weighted_f1") == value(
            "Table 4", "DialogueLLM", corpus, "weighted_f1"
        )


def test_each_table_says_what_it_shows_and_what_does_not_add_up() -> None:
    assert "2310.11374" in source()
    for table in tables():
        shows, *notes = about(table)
        assert shows.endswith(".")
        assert notes
        assert rows(table) or table == "Figure 9"
