"""The world's sentences: true, free of emotion words, and readable back."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tasks.demo import world
from tasks.demo.world import Person, Scene, describe, parse_description, random_frames

EMOTION_WORDS = re.compile(
    r"\b(happ|sad|ang(er|ry)|afraid|fear|scared|surpris|disgust|joy|neutral|upset|glad|furious|miserable)"
)


def utterances(count: int) -> list[tuple[Scene, ...]]:
    rng = np.random.default_rng(11)
    return [random_frames(rng, 1 + index % world.MAX_FRAMES) for index in range(count)]


def test_a_description_says_every_attribute_of_every_person() -> None:
    for scenes in utterances(300):
        said = parse_description(describe(scenes))
        assert said["place"] == scenes[0].place
        assert said["count"] == len(scenes[0].people) == len(said["people"])
        for index, (person, told) in enumerate(zip(scenes[0].people, said["people"], strict=True)):
            seen = [scene.people[index].expression for scene in scenes]
            assert told["expressions"] == tuple(dict.fromkeys(seen))
            assert (told["figure"], told["hair"], told["clothing"], told["posture"]) == (
                person.figure,
                person.hair,
                person.clothing,
                person.posture,
            )


def test_descriptions_never_name_an_emotion_and_stay_short() -> None:
    texts = [describe(scenes) for scenes in utterances(300)]
    assert not [text for text in texts if EMOTION_WORDS.search(text.lower())]
    lengths = [len(text.split()) for text in texts]
    assert min(lengths) >= 15
    assert max(lengths) <= 90
    assert np.median(lengths) <= 60


def test_a_change_over_time_is_said_in_order() -> None:
    calm = Person("woman", "long blond hair", "green", "with a calm face", "sitting")
    crying = replace(calm, expression="crying with tears on the cheeks")
    scenes = [Scene("office", "wide shot", (calm,)), Scene("office", "close-up", (crying,))]
    assert describe(scenes) == (
        "A wide shot, then a close-up in an office shows one person: a woman in green with long blond hair, "
        "sitting, at first with a calm face, then crying with tears on the cheeks."
    )
    assert parse_description(describe(scenes[::-1]))["shots"] == ("close-up", "wide shot")


def test_an_empty_place_has_nobody() -> None:
    said = parse_description(describe([Scene("street", "wide shot", ())]))
    assert (said["place"], said["count"], said["people"]) == ("street", 0, [])


def test_frames_of_different_people_are_refused() -> None:
    first, other = Scene("park", "close-up", ()), Scene("cafe", "close-up", ())
    with pytest.raises(ValueError, match="share their place"):
        describe([first, other])
    with pytest.raises(ValueError, match="at least one"):
        describe([])


@pytest.mark.parametrize("text", ["", ":", "a man in", "A close-up of nothing: a woman in \x00 with", "é" * 5000])
def test_parsing_any_text_never_raises(text: str) -> None:
    assert set(parse_description(text)) == {"place", "shots", "count", "people"}


def test_the_same_generator_gives_the_same_scenes() -> None:
    assert utterances(20) == utterances(20)
