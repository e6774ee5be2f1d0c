"""What is read from outside, each as a function of bytes: it ends in values or in an error of the program's own.

Any other exception is a finding, and so is a broken promise about the values. tests/faults/test_fuzz.py gives them
hypothesis' bytes, benchmarks/fuzz.py bytes that are led by coverage. ``SEEDS`` are good examples to begin with.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import iemocap_release

from flows import grid
from flows import settings as configuration
from model import chat_server, emotions, plain, ratings
from model.chat_answer import answer_of, fault_said
from model.dialogue import Rejected, Utterance
from model.errors import DialogueError
from storage import ablations, ledger, shards, tables
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
    return Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))


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
        lambda: ledger.comparisons(layout),
        lambda: ledger.seceu(layout),
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

_NAME = "Ses01F_impro01_F000"
_ROWS = b"split,dialogue_id,turn,speaker,text,emotion,video,start_s,end_s\ntrain,a,0,Ana,Hi.,joy,a.mp4,0.5,1.5\n"
_OBJECT = b'{"split": "train", "dialogue_id": "a", "turn": 1, "speaker": "Ana", "text": "Hi.", "emotion": "joy"}\n'
_UTTERANCE = (
    '{"utterance_id": "s01_e02_c03_u004", "speakers": ["Mara"], "transcript": "Hi.", "emotion": "Joyful", "tokens": []}'
)
_ITEM = '{"id": %d, "story": "x", "options": ["a", "b", "c", "d"], "standard_scores": [1, 2, 3, 4], "human_pattern": 1}'
_RUN = b'{"run_id": "a-1", "name": "a", "used_at": "2026", "stages": {"ingest": {"key": "k"}}}'

SEEDS: dict[str, list[bytes]] = {
    "times": [b"00:00:01,000 --> 00:00:02,500", b"00:16:16,059", b"1.5 2e-5", b"Wed, 21 Oct 2026 07:28:00 GMT"],
    "srt": [
        b"1\n00:00:01,000 --> 00:00:02,000\nAna: [joy] Hi.\n\n2\n00:00:03,000 --> 00:00:04,000\nBo [anger]: No!\n",
        b"WEBVTT\n\nNOTE x\n\n00:01.000 --> 00:02.000 align:start\n<v Ana>[joy] <i>Hi</i> &amp; bye.\n",
        b"\xff\xfe1\x00\n\x00",
    ],
    "meld": [
        b"Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,StartTime,EndTime\n"
        b'1,"Hi, you.",Ross,joy,positive,0,0,"00:16:16,059","00:16:21,731"\n'
    ],
    "emorynlp": [
        b"Utterance,Speaker,Emotion,Scene_ID,Utterance_ID,Season,Episode\n"
        b"Hi.,\"['Monica Geller', 'Ross']\",Joyful,4,1,1,2\n"
    ],
    "emorynlp-json": [f'{{"episodes": [{{"scenes": [{{"utterances": [{_UTTERANCE}]}}]}}]}}'.encode()],
    "iemocap": [
        (iemocap_release.evaluation(_NAME, 1, 2) + "\0" + iemocap_release.transcription(_NAME, 1, 2, "Hi.")).encode()
    ],
    "table": [b"\0" + _ROWS, b"\1" + _ROWS.replace(b",", b"\t"), b"\2" + _OBJECT],
    "labels": [
        b"**Joy**",
        b"<think>x</think>\nThe emotion is happy.",
        b"\\boxed{sad} because",
        b"a: 1, b: 2\nAnger - 3",
    ],
    "answer": [
        b'{"choices": [{"message": {"content": "joy"}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 2}}',
        b'{"error": {"message": "no such model"}}',
    ],
    "settings": [
        b'name = "a"\nseed = 3\n[ingest]\ncorpus = "meld"\nfolder = "x"\n[captions]\nmax_rejects = 0.5\n',
        b'name = "b"\n[ingest]\ncorpus = "joint"\n[[ingest.parts]]\ncorpus = "meld"\nfolder = "x"\n',
    ],
    "set": [b"captions.model=cues", b"finetune.learning_rate=1e-3", b"ingest.dialogues={train = 3}", b"seed=7"],
    "grid": [
        b'name = "g"\nbase = "meld"\nseeds = [1, 2]\n[settings]\nfinetune.epochs = 1\n'
        b"[grid]\ninstructions.context = [0, 2]\n"
        b'[[case]]\nname = "c"\ninstructions.shots = 3\n'
    ],
    "manifest": [
        b'\0{"stage_key": "k", "shard": 0, "rows": 1, "bytes": 3, "sha256": "x"}',
        b'\2{"shards": [{"shard": 0, "split": "train", "rows": 2}]}',
        b"\3" + _RUN,
        b'\4{"run_id": "a-1", "attempt": 1, "state": "done", "test_reads": []}',
        b'\5{"ablation": "g", "runs": [{"base": "b"}], "rows": [{"cell": "c"}]}',
        b'\6{"rows": [{"a": 1}]}',
        b'\7{"rows": [], "answers": []}',
    ],
    "seceu": [
        f'{{"items": [{", ".join(_ITEM % at for at in range(3))}], "population_mean_distance": 2, '
        '"population_sd_distance": 1}}'.replace("}}", "}").encode()
    ],
}
