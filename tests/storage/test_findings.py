"""What commands found out is kept in the workspace, and what is damaged of it is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import WorkspaceError
from storage import findings, ledger
from storage.layout import Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path)


def test_a_comparison_is_kept_under_its_key(layout: Layout) -> None:
    assert findings.comparisons(layout) == []
    for value in (1, 2):
        findings.save_comparison(layout, "b", [{"metric": "accuracy", "p": value}])
    findings.save_comparison(layout, "a", [{"metric": "macro_f1"}])
    assert findings.comparisons(layout) == [{"metric": "macro_f1"}, {"metric": "accuracy", "p": 2}]
    (layout.comparisons / "b.json").write_text("{")
    with pytest.raises(WorkspaceError, match=r"b\.json is damaged: `.*fsck --repair`.* `dialoguellm compare"):
        findings.comparisons(layout)


def test_exports_are_numbered_and_are_no_attempts(layout: Layout) -> None:
    assert findings.exports(layout, "demo-1") == []
    for passed in (False, True):
        findings.record_export(layout, "demo-1", {"passed": passed})
    findings.record_export(layout, "demo-2", {"passed": True})
    found = findings.exports(layout, "demo-1")
    assert [(one["run_id"], one["export"], one["passed"]) for one in found] == [
        ("demo-1", 1, False),
        ("demo-1", 2, True),
    ]
    assert found[0]["exported_at"] <= found[1]["exported_at"]
    assert ledger.attempts(layout, "demo-1") == []


def test_what_was_found_with_other_descriptions_is_kept_under_its_key(layout: Layout) -> None:
    assert findings.counterfactual(layout, "demo-1", "abc") is None
    for key, value in (("abc", 1), ("def", 2), ("abc", 3)):
        findings.save_counterfactual(layout, "demo-1", key, [{"value": value}])
    assert findings.counterfactual(layout, "demo-1", "abc") == [{"value": 3}]
    assert findings.counterfactuals(layout, "demo-1") == [{"value": 3}, {"value": 2}]
    (layout.attempts("demo-1") / "counterfactual-abc.json").write_text("{")
    with pytest.raises(
        WorkspaceError, match=r"counterfactual-abc.json is damaged: `.*fsck --repair`.* `dialoguellm counterf"
    ):
        findings.counterfactuals(layout, "demo-1")


def test_scores_and_answers_of_a_measurement_are_kept_under_its_key(layout: Layout) -> None:
    assert findings.seceu_scores(layout, "abc") == []
    findings.save_seceu(layout, "abc", [{"value": 1}], [{"item": 1}, {"item": 2}])
    assert findings.seceu_scores(layout, "abc") == [{"value": 1}]
    assert findings.seceu(layout) == ([{"value": 1}], [{"item": 1}, {"item": 2}])
    (layout.seceu / "abc.json").write_text("[]")
    with pytest.raises(WorkspaceError, match=r"abc\.json is damaged: `.*fsck --repair`.* `dialoguellm seceu"):
        findings.seceu(layout)
