from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from model.dialogue import SPLITS
from model.emotions import labels
from model.errors import CorpusError
from tasks.demo.script import SCRIPT, Dialogue, Line, load_script
from tasks.demo.world import describe

USUAL_FACES = {
    "neutral": "calm face",
    "joy": "smiling",
    "sadness": "turned-down mouth",
    "anger": "glaring",
    "surprise": "wide eyes",
    "fear": "slanted brows",
    "disgust": "wrinkled nose",
}


@pytest.fixture(scope="module")
def script() -> tuple[Dialogue, ...]:
    return load_script()


@pytest.fixture(scope="module")
def lines(script: tuple[Dialogue, ...]) -> list[Line]:
    return [line for dialogue in script for line in dialogue.lines]


def face(line: Line) -> str:
    scene = line.shots[-1].scene
    return scene.people[scene.speaker].expression


def words(line: Line) -> str:
    return re.sub(r"[^a-z ]", "", line.text.lower())


def test_size_and_balance(script: tuple[Dialogue, ...], lines: list[Line]) -> None:
    assert len(script) >= 28
    assert all(4 <= len(dialogue.lines) <= 6 for dialogue in script)
    shares = {label: count / len(lines) for label, count in Counter(line.emotion for line in lines).items()}
    assert shares.pop("neutral") == pytest.approx(0.3, abs=0.05)
    assert all(0.08 <= share <= 0.15 for share in shares.values()), shares
    for split in SPLITS:
        found = {line.emotion for dialogue in script if dialogue.split == split for line in dialogue.lines}
        assert found == set(labels("demo"))
    assert sum(len(dialogue.lines) for dialogue in script if dialogue.split == "test") >= 25


def test_half_of_the_words_do_not_tell_the_label(lines: list[Line]) -> None:
    said = defaultdict(list)
    for line in lines:
        said[words(line)].append(line.emotion)
    ambiguous = sum(len(heard) for heard in said.values() if len(set(heard)) > 1)
    assert 0.45 <= ambiguous / len(lines) <= 0.65


def test_most_faces_tell_the_label_and_some_do_not(lines: list[Line]) -> None:
    silent = [
        line
        for line in lines
        if USUAL_FACES[line.emotion] not in face(line) and not (line.emotion == "sadness" and "crying" in face(line))
    ]
    assert 0.05 <= len(silent) / len(lines) <= 0.15


def test_faces_settle_what_the_words_leave_open(script: tuple[Dialogue, ...]) -> None:
    """Voting with the train lines of the same words against the train lines of the same face, on test."""
    train = [line for d in script if d.split == "train" for line in d.lines]
    test = [line for d in script if d.split == "test" for line in d.lines]

    def right(clue: object) -> int:
        votes = defaultdict(Counter)  # type: ignore[var-annotated]
        for line in train:
            votes[clue(line)][line.emotion] += 1  # type: ignore[operator]
        guess = {key: seen.most_common(1)[0][0] for key, seen in votes.items()}
        return sum(guess.get(clue(line), "neutral") == line.emotion for line in test)  # type: ignore[operator]

    assert right(face) >= 0.8 * len(test)
    assert right(words) <= 0.5 * len(test)


def test_every_line_can_be_described_and_lasts_as_long_as_a_short_clip(lines: list[Line]) -> None:
    for line in lines:
        describe([shot.scene for shot in line.shots])
        assert 2 <= len(line.shots) <= 4
        assert 1.5 <= sum(shot.seconds for shot in line.shots) <= 4
        assert min(shot.seconds for shot in line.shots) >= 0.5


def test_a_character_always_looks_the_same(lines: list[Line]) -> None:
    looks = defaultdict(set)
    for line in lines:
        scene = line.shots[0].scene
        person = scene.people[scene.speaker]
        looks[line.speaker].add((person.figure, person.hair, person.clothing))
    assert len(looks) == 8
    assert all(len(found) == 1 for found in looks.values())


def test_defaults_fill_what_a_line_leaves_out(script: tuple[Dialogue, ...]) -> None:
    first, second = script[0].lines[:2]
    assert first.sentiment == "neutral"
    assert [len(line.shots[0].scene.people) for line in (first, second)] == [2, 1]
    assert [shot.scene.shot for shot in second.shots] == ["medium shot", "close-up"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('split = "dev"', 'split = "valid"', r"dialogue 22: split 'valid' .* train, dev, test"),
        ('people = ["Priya", "Theo"]', 'people = ["Priya", "Tho"]', r"dialogue train/1: person 'Tho'"),
        ('people = ["Priya", "Theo"]', 'people = ["Priya"]', r"dialogue train/1: 1 people"),
        ('place = "office"', 'place = "moon"', r"dialogue train/1: place 'moon' .* kitchen"),
        ('emotion = "surprise"', 'emotion = "shock"', r"dialogue train/0, line 1: emotion 'shock'"),
        ('"surprise", sentiment = "positive"', '"surprise"', r"dialogue train/0, line 1: sentiment None"),
        ('listeners = "smile"', 'listeners = "grin"', r"dialogue train/0, line 3: listeners 'grin'"),
        ('posture = "arms raised"', 'posture = "flying"', r"dialogue train/0, line 1: posture 'flying'"),
        ('before = "calm"', 'after = "calm"', r"dialogue train/0, line 3: 'after' is not known"),
        ('before = "calm"', 'shots = ["close-up"]', r"dialogue train/0, line 3: 1 shots"),
        ('text = "Morning. The kettle is on."', 'text = ""', r"dialogue train/0, line 0: no text"),
        ('hair = "a bald head"', 'hair = "a mohawk"', r"cast Walter: hair 'a mohawk'"),
        ("[cast]", "[cast", r"cannot read the script"),
    ],
)
def test_a_wrong_word_is_named_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "script.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        load_script(path)
