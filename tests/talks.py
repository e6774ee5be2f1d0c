"""A small corpus of text alone, with its configuration."""

from __future__ import annotations

from pathlib import Path

CONFIG = """
name = "talks"
seed = 3
model = {model!r}

[ingest]
corpus = "table"
file = {table!r}
labels = "meld"
shard_utterances = 8

[finetune]
epochs = 20
batch_size = 4
learning_rate = 1e-3
checkpoint_every = 1
"""


def write(folder: Path, model: Path) -> Path:
    lines = ["split,dialogue_id,turn,speaker,text,emotion"]
    for split, dialogues in (("train", 6), ("dev", 2), ("test", 3)):
        for dialogue in range(dialogues):
            for turn, emotion in enumerate(("joy", "anger", "neutral", "sadness")):
                words = f"{split} {dialogue} says {emotion} {turn}"
                lines.append(f"{split},{split}{dialogue},{turn},{'Ana' if turn % 2 else 'Ben'},{words},{emotion}")
    (folder / "talks.csv").write_text("\n".join(lines) + "\n")
    config = folder / "talks.toml"
    config.write_text(CONFIG.format(model=str(model), table=str(folder / "talks.csv")))
    return config
