"""What must hold before a model may learn from a set of rows; each fault names its rows and their number."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from model.dialogue import Instruction, corpus_of, split_of
from model.errors import TrainingError
from model.prompt import without_shots
from tasks.label_scoring import gold_of

Split = tuple[list[Instruction], list[Instruction]]


def check(rows: Sequence[Instruction]) -> Split:
    """The train rows and the dev rows. Raises TrainingError unless

    * no row is a test row, or shows one in its context;
    * every answer names a label, and every row comes once;
    * there are train rows, and no dialogue of dev is also one of train in the same corpus. Dialogue numbers begin anew
      in each split, so dialogues of two or more lines are compared by their prompts.
    """
    _refuse("belong to the test split", (row.utterance_id for row in rows if split_of(row.utterance_id) == "test"))
    _refuse("show lines of another split or dialogue", (row.utterance_id for row in rows if _foreign_context(row)))
    _refuse("have an empty answer", (row.utterance_id for row in rows if not row.answer.strip()))
    _refuse("have an answer that names no label", (row.utterance_id for row in rows if gold_of(row) is None))
    counts = Counter(row.utterance_id for row in rows)
    _refuse("come more than once", (name for name, count in counts.items() if count > 1))
    parts = {split: [row for row in rows if split_of(row.utterance_id) == split] for split in ("train", "dev")}
    if not parts["train"]:
        raise TrainingError("there are no training rows; see what the instructions stage rejected")
    train, dev = _dialogues(parts["train"]), _dialogues(parts["dev"])
    shared = [f"{dev[lines]} (= {train[lines]})" for lines in dev if len(lines) > 2 and lines in train]
    _refuse("are dialogues of train as well as of dev", shared)
    return parts["train"], parts["dev"]


def _refuse(fault: str, names: Iterable[str]) -> None:
    found = sorted(names)
    if found:
        more = f", … ({len(found) - 5} more)" if len(found) > 5 else ""
        raise TrainingError(f"{len(found)} rows {fault}: {', '.join(found[:5])}{more}; mend the corpus or its splits")


def _foreign_context(row: Instruction) -> bool:
    home = row.utterance_id.rsplit("/", 1)[0]
    return any(name.rsplit("/", 1)[0] != home for name in row.context_ids)


def _dialogues(rows: Sequence[Instruction]) -> dict[tuple[str, ...], str]:
    """Corpus and prompts of each dialogue to its name; two corpora of one series share scenes by their nature."""
    lines: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        # examples differ where one of them is of the dialogue itself: they must not hide that it comes twice
        lines[row.utterance_id.rsplit("/", 1)[0]].append(without_shots(row.messages))
    return {(corpus_of(name), *prompts): name for name, prompts in lines.items()}
