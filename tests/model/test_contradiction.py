from __future__ import annotations

import pytest

from model.contradiction import contradiction
from model.dialogue import FoundPerson, Keyframe


def frames(*scores: tuple[float, ...] | None) -> list[Keyframe]:
    """Frames with so many faces of these scores; None: nobody looked."""
    return [
        Keyframe(
            *("x/train/0/0", rank, rank / 2, b"", 400, 200, 1.0, 0.0, 0.5, False),
            None if found is None else len(found),
            None if found is None else tuple((10.0 * n, 0.0, 9.0, 9.0, score) for n, score in enumerate(found)),
            "test",
        )
        for rank, found in enumerate(scores)
    ]


NONE, ONE, TWO = (), (0.9,), (0.9, 0.8)


BODY, TWO_BODIES = ((0, 0.0, 0.0, 9.0, 9.0, 0.9),), ((1, 0.0, 0.0, 9.0, 9.0, 0.9), (1, 9.0, 0.0, 9.0, 9.0, 0.8))


@pytest.mark.parametrize(
    ("text", "shown", "people", "expected"),
    [
        ("A man sits on a sofa.", [NONE, NONE], (), "no_person"),
        ("A man sits on a sofa.", [NONE, NONE], BODY, "none"),
        ("A man sits on a sofa.", [NONE], ((0, 0.0, 0.0, 9.0, 9.0, 0.51),), "none"),
        ("A man sits on a sofa.", [ONE], (), "none"),
        ("A man sits on a sofa.", [None], (), "no_person"),
        ("A man sits on a sofa.", [None], BODY, "none"),
        ("A tree moves in the wind.", [NONE], (), "none"),
        ("There is nobody in the room.", [NONE], BODY, "people_denied"),
        ("There is nobody in the room.", [NONE], ((0, 0.0, 0.0, 9.0, 9.0, 0.7),), "none"),
        ("One person is in view.", [ONE, ONE], TWO_BODIES, "too_few_people"),
        ("Two women talk.", [ONE, ONE], TWO_BODIES, "none"),
        ("One person is in view.", [ONE, ONE], (*BODY, TWO_BODIES[0]), "none"),
        ("A man sits on a sofa.", [], BODY, None),
    ],
)
def test_where_bodies_were_looked_for(
    text: str, shown: list[tuple[float, ...] | None], people: tuple[FoundPerson, ...], expected: str | None
) -> None:
    assert contradiction(text, frames(*shown), people) == expected


@pytest.mark.parametrize(
    ("text", "shown", "expected"),
    [
        ("A man sits on a sofa.", [NONE, NONE], "no_face"),
        ("A man sits on a sofa.", [NONE, ONE], "none"),
        ("A tree moves in the wind.", [NONE], "none"),
        ("A tree moves in the wind.", [ONE], "none"),
        ("Two faces are near.", [NONE], "no_face"),
        ("There is nobody in the room.", [ONE], "people_denied"),
        ("No people are in view, only a street.", [NONE, TWO], "people_denied"),
        ("An empty room without people.", [NONE], "none"),
        ("No one is there.", [(0.61,)], "none"),
        ("A man sits alone; no one else is there.", [ONE], "none"),
        ("No face is visible, the man turns his back.", [ONE], "none"),
        ("One person is in view.", [ONE, TWO], "too_few_people"),
        ("One person is in view.", [ONE, ONE], "none"),
        ("Two young women talk.", [TWO], "none"),
        ("Two young women talk.", [(0.9, 0.9, 0.9)], "too_few_people"),
        ("Two women and a man talk.", [(0.9, 0.9, 0.9)], "none"),
        ("Two women talk, others listen.", [(0.9, 0.9, 0.9)], "none"),
        ("A woman talks.", [TWO], "none"),
        ("2 men, 1 woman", [(0.9,) * 4], "too_few_people"),
        ("A man sits on a sofa.", [None, None], None),
        ("A man sits on a sofa.", [ONE, None], None),
        ("A man sits on a sofa.", [], None),
    ],
)
def test_what_speaks_against_a_caption(text: str, shown: list[tuple[float, ...] | None], expected: str | None) -> None:
    assert contradiction(text, frames(*shown)) == expected
