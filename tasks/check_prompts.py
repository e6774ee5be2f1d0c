"""What can be said of a configuration's prompts before a run: how long they are, what they lose, which are refused.

They are built by the stage itself with the model's own tokenizer, where that is on this machine; nothing is fetched.
There are no captions yet, so these are prompts of text alone: with descriptions they are longer.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from model import weights
from model.dialogue import SPLITS, Instruction, Rejected, Utterance
from model.emotions import answers
from model.errors import DialogueError
from model.packing import encode
from tasks import few_shot, instructions
from tasks.check_text import Finding
from tasks.instructions import InstructionsSettings
from tasks.run import cut
from tasks.stage import Context, Progress, no_progress

_CUT = ("context", "shots", "description")


def all_of(
    utterances: Sequence[Utterance],
    shard_utterances: int,
    settings: InstructionsSettings,
    cache: Path,
    progress: Progress = no_progress,
) -> Iterator[Finding]:
    """One finding a split, one more for each reason of refusal; ``shard_utterances`` decides where shots come from.

    Every line is looked at: MELD's 13,708 prompts take a few seconds. A model that cannot be had is not told here.
    """
    try:
        if not weights.at_hand(settings.model, cache):
            told = f"not counted: the tokenizer of {settings.model} is not on this machine yet"
            yield Finding("info", "prompts", "instructions", told)
            return
    except DialogueError:
        return
    examples = _pool(utterances, shard_utterances, settings) if settings.shots else []
    rows = {"utterances": utterances, "captions": [], "examples": examples}
    try:
        tokenizer = instructions.load_tokenizer(weights.resolve(settings.model, cache))
        made = list(instructions.run(rows, settings, Context(cache=cache, folder=cache, progress=progress)))
    except DialogueError as error:
        yield Finding("error", "prompts", "instructions", str(error))
        return
    longest = {
        name: max(map(len, encode(tokenizer, "", answers(name, settings.label_words)).answers))
        for name in {line.corpus for line in utterances}
    }
    refused = sum(isinstance(row, Rejected) for row in made)
    if refused > settings.max_rejects * len(made):
        told = f"{refused} of {len(made)} prompts are refused, over instructions.max_rejects = {settings.max_rejects:g}"
        yield Finding("error", "too_many_rejects", "instructions", f"{told}: a run stops")
    for name, lines in _by_split(utterances, made).items():
        yield from _of_split(name, lines, settings.max_tokens, longest[name.split("/")[0]])


def _pool(utterances: Sequence[Utterance], size: int, settings: InstructionsSettings) -> list[Utterance]:
    """The train lines that the stage would be handed, of each corpus: those of the same shards."""
    found: list[Utterance] = []
    for corpus in dict.fromkeys(line.corpus for line in utterances):
        own = [line for line in utterances if (line.corpus, line.split) == (corpus, "train")]
        train = cut(own, size)
        chosen = few_shot.shards_of_pool([len(group) for group in train], settings.seed, settings.shots_pool)
        found += [row for place in chosen for row in train[place]]
    return found


def _by_split(
    utterances: Sequence[Utterance], made: Sequence[Instruction | Rejected]
) -> dict[str, list[Instruction | Rejected]]:
    found: dict[str, list[Instruction | Rejected]] = {}
    order = {split: place for place, split in enumerate(SPLITS)}
    for line, row in sorted(zip(utterances, made, strict=True), key=lambda pair: order[pair[0].split]):
        found.setdefault(f"{line.corpus}/{line.split}", []).append(row)
    return found


def _of_split(name: str, rows: Sequence[Instruction | Rejected], max_tokens: int, longest: int) -> Iterator[Finding]:
    """``longest`` is the corpus's longest answer in tokens, its end token with it."""
    good = [row for row in rows if isinstance(row, Instruction)]
    refused = [row for row in rows if isinstance(row, Rejected)]
    for reason, number in Counter(row.reason for row in refused).items():
        first = next(row for row in refused if row.reason == reason)
        detail = f"prompts refused: {number} of {len(rows)}, the first {first.utterance_id}: {first.detail}"
        yield Finding("error", reason, name, detail)
    over = [row for row in good if row.n_prompt_tokens + longest > max_tokens]
    if over:
        detail = f"the answer would be cut off in {len(over)} prompts, the first {over[0].utterance_id}; report this"
        yield Finding("error", "answer_truncated", name, detail)
    if good:
        lost = Counter(entry.partition(":")[0] for row in good for entry in row.cuts)
        told = ", ".join(f"{what} {lost[what]}" for what in _CUT)
        sizes = f"{len(good)} of text only, tokens {_lengths(good)} of {max_tokens}"
        detail = f"{sizes}; cut: {told}; answers truncated: {len(over)}"
        yield Finding("warning" if lost else "info", "prompts", name, detail)


def _lengths(rows: Sequence[Instruction]) -> str:
    counts = sorted(row.n_prompt_tokens for row in rows)
    middle, most = (counts[math.ceil(share * len(counts)) - 1] for share in (0.5, 0.95))
    return f"min {counts[0]}, median {middle}, 95 % {most}, max {counts[-1]}"
