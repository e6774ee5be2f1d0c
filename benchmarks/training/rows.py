"""Rows to train on, of MELD's lines or of made-up ones, each with a made-up description of its video."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model import packing
from model.dialogue import Caption, Rejected, Utterance
from model.training_plan import Example
from tasks.corpora import meld
from tasks.instructions import STAGE, InstructionsSettings
from tasks.stage import Context

WORDS = ("you", "know", "I", "really", "think", "that", "we", "should", "go", "now", "okay", "what", "tonight", "so")
SEEN = ("A man", "A woman", "Two people", "Somebody"), ("smiles", "frowns", "stares", "laughs", "looks away", "sits")
PLACES = ("in a cafe", "in a kitchen", "on a couch", "at a door", "in an office", "beside a window")
LABELS = ("neutral", "joy", "surprise", "anger", "sadness", "disgust", "fear")


def examples(tokenizer: Any, wanted: int, folder: Path | None, cache: Path) -> list[Example]:
    """So many rows, or all there are, as the instructions stage writes them: MELD's train lines or made-up ones."""
    lines = list(of_meld(folder) if folder else made_up())
    captions = [Caption(line.utterance_id, description(line), "made up", "0", "0", 1, 1, (), 0.0) for line in lines]
    context = Context(cache=cache, folder=cache)
    found = STAGE.run({"utterances": lines, "captions": captions}, InstructionsSettings(), context)
    rows = [row for one in found if not isinstance(one, Rejected) for row in one.rows(STAGE.row)]
    rows = random.Random(7).sample(rows, min(wanted, len(rows)))
    return [Example(row.utterance_id, packing.encode(tokenizer, row.prompt, [row.answer])) for row in rows]


def of_meld(folder: Path) -> Iterator[Utterance]:
    for row in meld.read(folder):
        if isinstance(row, Utterance) and row.split == "train":
            yield row


def made_up() -> Iterator[Utterance]:
    """Dialogues whose lines are as long as MELD's: eight words in the mean, few long ones."""
    chance = random.Random(7)
    for number in range(5_000):
        dialogue, turn = divmod(number, 10)
        text = " ".join(chance.choices(WORDS, k=min(1 + int(chance.expovariate(1 / 7)), 40)))
        name, label = f"meld/train/{dialogue}/{turn}", chance.choice(LABELS)
        yield Utterance(
            name, "meld", "train", str(dialogue), turn, str(turn), chance.choice(("Monica", "Ross")), text, label
        )


def description(line: Utterance) -> str:
    """A made-up account of a clip, of 20 to 45 words, as captioners write them."""
    chance = random.Random(line.utterance_id)
    parts = [
        f"{chance.choice(SEEN[0])} {chance.choice(PLACES)} {chance.choice(SEEN[1])}, then {chance.choice(SEEN[1])}"
        for _ in range(chance.randint(2, 4))
    ]
    return ". ".join(parts) + "."
