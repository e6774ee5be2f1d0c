"""What may be asked of the gallery's list, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.gallery.filter import PER_PAGE, Filter, Listed


@pytest.mark.parametrize(
    "asked",
    [{"page": "0"}, {"page": "1e9"}, {"split": "tests"}, {"answer": "maybe"}, {"order": "random()"}, {"sql": "1"}]
    + [{name: "x" * 201} for name in ("words", "caption", "speaker", "gold", "system")],
)
def test_what_there_is_not_is_refused(asked: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Filter.model_validate(asked)


def test_narrowed_tells_what_is_asked_of_a_line() -> None:
    assert Filter(words="tea", order="worst", page=3, system="tuned").narrowed() == {"words": "tea"}
    assert not Filter().narrowed()


@pytest.mark.parametrize(("total", "pages"), [(0, 1), (1, 1), (PER_PAGE, 1), (PER_PAGE + 1, 2)])
def test_there_is_always_a_page(total: int, pages: int) -> None:
    assert Listed([], total, total).pages == pages
