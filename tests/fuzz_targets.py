"""What is read from outside, each as a function of bytes: it ends in values or in an error of the program's own.

Any other exception is a finding, and so is a broken promise about the values. tests/faults/test_fuzz.py gives them
hypothesis' bytes, benchmarks/fuzz.py bytes that are led by coverage.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

from fuzz_seeds import SEEDS

from flows import grid
from flows import settings as configuration
from model import chat_server, emotions, plain, ratings
from model.chat_answer import answer_of, fault_said
from model.dialogue import Rejected, Utterance
from model.errors import DialogueError
from storage import ablations, findings, ledger, shards, tables
from storage.layout import Layout, at
from tasks import seceu_test
from tasks.corpora import emorynlp, emorynlp_json, iemocap, meld, subtitles, table, transcript
from tasks.corpora.iemocap_layout import EVALUATIONS, TRANSCRIPTIONS, Dialogue
from tasks.corpora.subtitles_cues import seconds
from tasks.corpora.subtitles_layout import Dialogue as SubtitleFile

Target = Callable[[bytes], None]

CONTROLS = ("<|im_end|>", "<|im_start|>", "<think>")
CORPORA = ("meld", "emorynlp", "iemocap", "iemocap8", "table-meld")


@cache
def folder() -> Path:
    """One for all that targets write; the file system is most of their time."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def rows_can_be_stored(rows: Iterable[Utterance | Rejected]) -> list[Utterance]:
    """Ids in their form, one of each, and everything fits into the lake's columns; the utterances."""
    found = list(rows)
    kept = [row for row in found if isinstance(row, Utterance)]
    rejects = [row for row in found if isinstance(row, Rejected)]
    assert len(kept) + len(rejects) == len(found)
    for row in kept:
        assert row.utterance_id == f"{row.corpus}/{row.split}/{row.dialogue_id}/{row.source_utterance_id}"
        assert row.emotion in emotions.labels(row.corpus)
        assert row.start_s is None or (row.end_s is not None and 0 <= row.start_s < row.end_s)
    for reject in rejects:
        assert reject.reason.replace("_", "").isalpha()
        assert len(reject.detail) < 2_000
    tables.to_arrow("utterances", kept)
    tables.to_arrow("rejects", rejects)
    return kept


def times(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with suppress(transcript.BadRow):
        start, end = seconds(text)
        assert 0 <= start < end < 1e9
    clock = meld._clock(text)
    assert clock is None or 0 <= clock < 1e6
    start_text, _, end_text = text.partition(" ")
    with suppress(transcript.BadRow):
        found = table._times({"start_s": start_text, "end_s": end_text})
        assert found == (None, None) or found[0] < found[1]
    assert 0 <= chat_server._retry_after(text) < 1e12


def srt(data: bytes) -> None:
    path = folder() / "a.srt"
    path.write_bytes(data)
    with suppress(DialogueError):
        rows_can_be_stored(subtitles._dialogue("subtitles-meld", SubtitleFile("train", "a", path, "a.mp4")))


def meld_file(data: bytes) -> None:
    read_table(data, "meld", meld.COLUMNS, partial(meld._parse, "train", None))


def emorynlp_file(data: bytes) -> None:
    read_table(data, "emorynlp", emorynlp.COLUMNS, partial(emorynlp._parse, "train"))


def read_table(data: bytes, corpus: str, columns: Sequence[str], parse: transcript.Parse) -> None:
    path = folder() / f"{corpus}.csv"
    path.write_bytes(data)
    with suppress(DialogueError):
        rows_can_be_stored(transcript.read_split(path, corpus, "train", columns, parse))


def emorynlp_json_file(data: bytes) -> None:
    for split, path in emorynlp_json.transcripts(folder()).items():
        path.write_bytes(data if split == "train" else SEEDS["emorynlp-json"][0])
    with suppress(DialogueError):
        rows_can_be_stored(emorynlp_json.read(folder()))


def iemocap_files(data: bytes) -> None:
    dialog = folder() / "iemocap"
    dialogue = Dialogue("iemocap", "train", 1, "Ses01F_impro01", dialog)
    for kind, content in zip((EVALUATIONS, TRANSCRIPTIONS), data.partition(b"\0")[::2], strict=True):
        (dialog / kind).mkdir(parents=True, exist_ok=True)
        (dialog / kind / f"{dialogue.name}.txt").write_bytes(content)
    with suppress(DialogueError):
        rows_can_be_stored(iemocap._read_dialogue(dialogue, True))


def own_table(data: bytes) -> None:
    """The first byte chooses the form."""
    form = (".csv", ".tsv", ".jsonl", ".parquet")[data[0] % 4 if data else 0]
    path = folder() / f"corpus{form}"
    path.write_bytes(data[1:])
    with suppress(DialogueError):
        rows_can_be_stored(table.read(path, "meld", folder()))


def labels(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for corpus in CORPORA:
        found = emotions.parse(text, corpus)
        assert found is None or found in emotions.labels(corpus)
    assert all(word in text.casefold() or not text.isascii() for word in emotions.emotion_words(text))
    with suppress(transcript.BadRow):
        cells = {"emotion": transcript.clean(text)}
        assert transcript.emotion(cells, "emotion", "meld", "id") in emotions.labels("meld")
    ratings.read(text, ["Joy", "Anger", "Fear", "Surprise"])
    line = plain.plain(text, CONTROLS)
    assert plain.plain(line, CONTROLS) == line
    assert line.isprintable() or not text.isprintable()
    assert not any(token in line for token in (*CONTROLS, "[INST]", "<s>", "###"))


def answer(data: bytes) -> None:
    fault_said(data).encode()
    with suppress(DialogueError):
        found = answer_of(data)
        found.text.encode()
        assert 0 <= found.n_tokens <= 1_000_000
        assert 0 <= found.n_prompt_tokens <= 1_000_000


def settings(data: bytes) -> None:
    path = folder() / "run.toml"
    path.write_bytes(data)
    with suppress(DialogueError):
        values, found, _ = configuration.read(str(path))
        for stage in found.values():
            kept = json.dumps(stage.model_dump(mode="json"), allow_nan=False)
            assert type(stage).model_validate_json(kept) == stage
            stage.key_fields()
        assert ledger.safe_name(values["name"])


def override(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    with suppress(DialogueError):
        configuration.read("meld", [text])


def grid_file(data: bytes) -> None:
    path = folder() / "grid.toml"
    path.write_bytes(data)
    grid.is_grid(str(path))
    with suppress(DialogueError):
        grid.read_grid(str(path))


def manifest(data: bytes) -> None:
    """The first byte chooses which record of a workspace it is."""
    layout = workspace()
    kinds = (layout.manifest("captions", "k", 0), layout.failure("captions", "k", 0), layout.shard_list("k"))
    more = (layout.run_file("a-1"), layout.attempts("a-1") / "attempt-0001.json", layout.ablation("g") / "grid.json")
    paths = (*kinds, *more, layout.comparisons / "c.json", layout.seceu / "s.json")
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
    paths[data[0] % len(paths) if data else 0].write_bytes(data[1:])
    readings: tuple[Callable[[], Any], ...] = (
        lambda: shards.read_manifest(paths[0]),
        lambda: ledger.shard_state(layout, "captions", "k", 0),
        lambda: ledger.shard_list(layout, "k"),
        lambda: ledger.find_run(layout),
        lambda: ledger.attempts(layout, "a-1"),
        lambda: ledger.test_reads(layout, "a-1", "k"),
        lambda: ablations.tables(layout),
        lambda: findings.comparisons(layout),
        lambda: findings.seceu(layout),
    )
    for reading in readings:
        with suppress(DialogueError):
            reading()


@cache
def workspace() -> Layout:
    return at(folder() / "workspace")


def seceu(data: bytes) -> None:
    path = folder() / "seceu.json"
    path.write_bytes(data)
    with suppress(DialogueError):
        found = seceu_test.load(path)
        assert len(found.items) >= 3
        assert found.shuffled(1).mean == found.mean


TARGETS: dict[str, Target] = {
    "times": times,
    "srt": srt,
    "meld": meld_file,
    "emorynlp": emorynlp_file,
    "emorynlp-json": emorynlp_json_file,
    "iemocap": iemocap_files,
    "table": own_table,
    "labels": labels,
    "answer": answer,
    "settings": settings,
    "set": override,
    "grid": grid_file,
    "manifest": manifest,
    "seceu": seceu,
}
