"""What must hold before a model may learn from a set of rows; each fault names its rows and their number."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from model import emotions
from model.dialogue import Instruction, corpus_of, split_of
from model.emotions import LabelWords
from model.errors import TrainingError
from model.packing import Item, encode
from model.prompt import without_shots
from tasks.label_scoring import gold_of, words_of

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


def repeated(train: Sequence[Instruction], dev: Sequence[Instruction]) -> list[str]:
    """Dev rows that show two lines or more and the same as a train row of their corpus: a scene that comes again in
    another dialogue, as series show it in a look back. No fault of the splits, but dev scores gain by it."""
    shown = {(corpus_of(row.utterance_id), without_shots(row.messages)) for row in train if row.context_ids}
    return [
        row.utterance_id
        for row in dev
        if row.context_ids and (corpus_of(row.utterance_id), without_shots(row.messages)) in shown
    ]


def check_tokens(tokenizer: Any, rows: Sequence[Instruction], items: Sequence[Item], config: Any) -> None:
    """That ``items`` are what prediction will see of ``rows``. Raises TrainingError unless

    * every prompt has as many tokens as the instructions stage counted: another tokenizer, or one that adds or cuts
      something, would train on prompts that prediction never sees;
    * every answer is there whole: its tokens read as its label again, and then comes the end token;
    * no two labels of a corpus have the same tokens;
    * prompt and answer are within the model's own limit (``config.max_position_embeddings``).
    """
    pairs = list(zip(rows, items, strict=True))
    _refuse(
        "have prompts of other lengths than the instructions stage counted",
        (row.utterance_id for row, item in pairs if len(item.prompt) != row.n_prompt_tokens),
        "set finetune.model and instructions.model to the same",
    )
    kinds = {(corpus_of(row.utterance_id), words_of(row)) for row in rows}
    for corpus, words in sorted(kinds):
        _check_labels(tokenizer, corpus, words)
    check_lengths([(row.utterance_id, item) for row, item in pairs], config)


def check_lengths(named: Sequence[tuple[str, Item]], config: Any) -> None:
    """Raises TrainingError where prompt and answer are more tokens than ``config.max_position_embeddings``."""
    limit = getattr(config, "max_position_embeddings", None)
    _refuse(
        f"are longer than the {limit} tokens that the model can take",
        (name for name, item in named if limit and len(item.prompt) + max(map(len, item.answers)) > limit),
        "lower instructions.max_tokens",
    )


def _check_labels(tokenizer: Any, corpus: str, words: LabelWords) -> None:
    answers = dict(
        zip(
            emotions.answers(corpus, words), encode(tokenizer, "", emotions.answers(corpus, words)).answers, strict=True
        )
    )
    read = {answer: tokenizer.decode(ids[:-1], skip_special_tokens=True) for answer, ids in answers.items()}
    torn = [answer for answer, text in read.items() if emotions.parse(text, corpus) != emotions.parse(answer, corpus)]
    same = [answer for answer, ids in answers.items() if list(answers.values()).count(ids) > 1]
    for fault, names in (("cannot be written whole", torn), ("have the same tokens", same)):
        if names:
            raise TrainingError(
                f"{len(names)} labels of {corpus} {fault} with the tokenizer of {tokenizer.name_or_path}: "
                f"{', '.join(names)}; take another model"
            )


def _refuse(fault: str, names: Iterable[str], what_to_do: str = "mend the corpus or its splits") -> None:
    found = sorted(names)
    if found:
        more = f", … ({len(found) - 5} more)" if len(found) > 5 else ""
        raise TrainingError(f"{len(found)} rows {fault}: {', '.join(found[:5])}{more}; {what_to_do}")


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
