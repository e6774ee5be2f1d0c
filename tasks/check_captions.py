"""Whether captions give the answer away: how many of those that a workspace already holds name an emotion.

Captions of train and dev alone are read; what the test split's say is evaluation's business.
"""

from __future__ import annotations

from collections.abc import Iterator

from model.dialogue import Caption, Utterance
from model.emotions import parse
from model.errors import WorkspaceError
from storage import ledger
from storage.shards import read_rows
from tasks.check_text import Finding
from tasks.plan import Run


def all_of(run: Run) -> Iterator[Finding]:
    """One finding a corpus and split of train and dev, of the shards that are done under this configuration's key."""
    key, ingest = run.keys.get("captions"), run.keys.get("ingest")
    if key is None or ingest is None:
        return
    found: dict[str, list[tuple[Utterance, Caption]]] = {}
    for item in run.shards() or []:
        split, shard = item["split"], item["shard"]
        if split == "test" or ledger.shard_state(run.layout, "captions", key, shard)[0] != "done":
            continue
        try:
            lines = {row.utterance_id: row for row in read_rows(run.layout, "utterances", ingest, shard)}
            captions = read_rows(run.layout, "captions", key, shard)
        except WorkspaceError as error:
            yield Finding("warning", "captions", f"part-{shard:05d}", str(error))
            continue
        for caption in captions:
            line = lines[caption.utterance_id]
            found.setdefault(f"{line.corpus}/{split}", []).append((line, caption))
    for name, pairs in found.items():
        yield _of_split(name, pairs)


def _of_split(name: str, pairs: list[tuple[Utterance, Caption]]) -> Finding:
    names = sum(bool(caption.emotion_words) for _, caption in pairs)
    gold = sum(any(parse(word, line.corpus) == line.emotion for word in said.emotion_words) for line, said in pairs)
    detail = f"{len(pairs)} captions: {names / len(pairs):.1%} name an emotion, {gold / len(pairs):.1%} the line's own"
    return Finding("info", "captions", name, detail)
