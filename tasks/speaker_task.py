"""Who says it: an auxiliary task on the train rows' own dialogues (InstructERC's idea), mixed in while training."""

from __future__ import annotations

import random
from collections.abc import Sequence

from model import prompt
from model.chat import Chat
from model.dialogue import Instruction
from model.errors import TrainingError

TASK = "speaker"


def questions(rows: Sequence[Instruction], ratio: float, seed: int, chat: Chat) -> list[tuple[str, str, str]]:
    """(id, prompt, answer) of questions, ``ratio`` times as many as rows, drawn by the seed, at most one a row.

    Rows that show one speaker only are not asked. Raises TrainingError where fewer rows than wanted show two.
    """
    made = [(row.utterance_id, prompt.ask_speaker(row.messages)) for row in rows if _shows_speakers(row)]
    fit = [(name, *found) for name, found in made if found]
    wanted = round(ratio * len(rows))
    if wanted > len(fit):
        raise TrainingError(
            f"finetune.speaker_task = {ratio} wants {wanted} rows, and {len(fit)} of {len(rows)} show two speakers or "
            'more; lower it, or set instructions.preset = "sound", speaker = "name" and a longer context'
        )
    drawn = sorted(random.Random(f"{TASK}/{seed}").sample(range(len(fit)), wanted))
    asked = [fit[place] for place in drawn]
    return [(f"{name}#{TASK}", chat(messages[:-1], messages[-1][1]), answer) for name, messages, answer in asked]


def _shows_speakers(row: Instruction) -> bool:
    preset, _, speaker, *_ = [*row.variant.split("-"), "", ""]
    return preset == "sound" and speaker in ("name", "role")
