"""A workspace with a large lake, written fast: real runs, keys, parts and manifests over made-up rows.

Dialogues of ten lines in shards of 256; runs differ in finetune's seed, so they share all up to the instructions.
Predictions are drawn a few times; further runs are given links to the same parts.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa

from flows.settings import prepare
from model.dialogue import Metric, TrainingStep
from storage import ledger, parquet
from storage.layout import Layout
from storage.shards import file_sha256
from storage.tables import SCHEMAS, to_arrow
from tasks.plan import Run
from tasks.stages import BY_NAME

LABELS = ("neutral", "joy", "surprise", "sadness", "anger", "fear", "disgust")
SHARES = (0.47, 0.17, 0.12, 0.09, 0.1, 0.025, 0.025)
SHARD, LINES = 256, 10
DRAWN = 4
WORDS = ("the", "window", "broke", "and", "everybody", "ran", "out", "of", "room", "so", "what", "did", "you", "say")


def runs_of(folder: Path, utterances: int, runs: int) -> list[Run]:
    """A workspace of ``utterances`` lines, a twentieth of them test, and finished ``runs`` over them; unpublished."""
    made = []
    for seed in range(runs):
        run = prepare("demo", workspace=folder / "workspace", overrides=[f"finetune.seed={seed}"])
        run.record.update(ledger.save_run(run.layout, run.record))
        made.append(run)
    shards = cut(utterances)
    write_shared(made[0], shards)
    for number, run in enumerate(made):
        write_results(run, shards, number, made[number % DRAWN] if number >= DRAWN else None)
    return made


def cut(utterances: int) -> list[tuple[str, int, int]]:
    """(split, first line, lines) of each shard: 90 % train, 5 % dev, 5 % test, whole dialogues."""
    found = []
    for split, share in (("train", 0.9), ("dev", 0.05), ("test", 0.05)):
        total = int(utterances * share) // LINES * LINES
        size = SHARD // LINES * LINES
        found += [(split, first, min(size, total - first)) for first in range(0, total, size)]
    return found


def write_shared(run: Run, shards: list[tuple[str, int, int]]) -> None:
    listed = [{"shard": n, "split": split, "rows": rows, "corpus": "demo"} for n, (split, _, rows) in enumerate(shards)]
    listing = run.layout.shard_list(run.key(BY_NAME["ingest"]))
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text(json.dumps({"shards": listed, "rows": sum(item["rows"] for item in listed), "rejects": 0}))
    for number, (split, first, rows) in enumerate(shards):
        random = np.random.default_rng([number])
        for stage, table, data, rejected in shared_rows(random, split, first, rows, run):
            write_part(run, stage, table, number, data, rejected)


def shared_rows(
    random: np.random.Generator, split: str, first: int, rows: int, run: Run
) -> Iterator[tuple[str, str, pa.Table, int]]:
    ids = names(split, first, rows)
    places = [divmod(first + n, LINES) for n in range(rows)]
    texts = [" ".join(WORDS[i] for i in line) for line in random.integers(0, len(WORDS), (rows, 9))]
    plain = {
        "utterance_id": ids,
        "corpus": ["demo"] * rows,
        "split": [split] * rows,
        "dialogue_id": [str(dialogue) for dialogue, _ in places],
        "turn": [turn for _, turn in places],
        "source_utterance_id": [str(turn) for _, turn in places],
        "speaker": [f"Speaker {n}" for n in random.integers(0, 60, rows)],
        "text": texts,
        "emotion": golden(split, first, rows),
        "sentiment": [None] * rows,
        "video": [f"{split}/dia{dialogue}_utt{turn}.mp4" for dialogue, turn in places],
        "start_s": [None] * rows,
        "end_s": [None] * rows,
        "raters": [[]] * rows,
    }
    yield "ingest", "utterances", pa.table(plain, schema=SCHEMAS["utterances"]), 0
    yield "keyframes", "keyframes", frames(random, ids), 0
    rejected = round(0.01 * rows)
    yield "captions", "captions", captions(random, ids[rejected:]), rejected
    yield "instructions", "instructions", prompts(ids, texts, plain["emotion"], run.keys["captions"]), 0


def frames(random: np.random.Generator, ids: list[str]) -> pa.Table:
    """Three frames a line; their pictures are a few bytes."""
    rows = 3 * len(ids)
    return pa.table(
        {
            "utterance_id": np.repeat(ids, 3),
            "rank": np.tile([0, 1, 2], len(ids)),
            "time_s": np.tile([0.4, 1.4, 2.2], len(ids)),
            "jpeg": [b"\xff\xd8\xff\xd9"] * rows,
            "width": [640] * rows,
            "height": [480] * rows,
            "sharpness": random.random(rows) * 2000,
            "novelty": random.random(rows) * 60,
            "score": random.random(rows),
            "suspect": random.random(rows) < 0.01,
            "faces": random.integers(0, 3, rows).astype("int32"),
            "face_boxes": pa.nulls(rows, SCHEMAS["keyframes"].field("face_boxes").type),
            "method": ["best-2/fast/nofaces"] * rows,
        },
        schema=SCHEMAS["keyframes"],
    )


def captions(random: np.random.Generator, ids: list[str]) -> pa.Table:
    rows = len(ids)
    words = [[], ["happy"], [], ["sad"]]
    columns = {
        "utterance_id": ids,
        "text": [f"A close-up in a cafe: a person in {['red', 'blue', 'green', 'white'][n % 4]}." for n in range(rows)],
        "model": ["demo"] * rows,
        "revision": ["abc"] * rows,
        "prompt_id": ["describe"] * rows,
        "n_frames": [3] * rows,
        "n_tokens": random.integers(20, 60, rows),
        "emotion_words": [words[n] for n in random.integers(0, 4, rows)],
        "seconds": random.random(rows),
        "n_words": random.integers(9, 40, rows),
        "repetition": random.random(rows) / 4,
        "english": random.random(rows),
        "refusal": [False] * rows,
        "like_previous": random.random(rows),
    }
    schema = SCHEMAS["captions"]
    unknown = {field.name: pa.nulls(rows, field.type) for field in schema if field.name not in columns}
    return pa.table(columns | unknown, schema=schema)


def prompts(ids: list[str], texts: list[str], gold: list[str], key: str | None) -> pa.Table:
    rows = len(ids)
    shown = [" / ".join(texts[max(0, n - 5) : n + 1]) for n in range(rows)]
    columns = {
        "utterance_id": ids,
        "variant": ["video"] * rows,
        "messages": [[{"role": "user", "content": text}] for text in shown],
        "prompt": [f"Name the emotion of the last line.\n{text}" for text in shown],
        "answer": gold,
        "n_prompt_tokens": [90] * rows,
        "context_ids": [ids[max(0, n - 5) : n] for n in range(rows)],
        "caption_key": [key] * rows,
        "cuts": [[]] * rows,
    }
    return pa.table(columns, schema=SCHEMAS["instructions"])


def write_results(run: Run, shards: list[tuple[str, int, int]], seed: int, like: Run | None) -> None:
    """The adapter's log, predictions of two systems on test, and scores; predictions linked to those of ``like``."""
    steps = [TrainingStep(n, n / 500, 1.0, 1e-3, 1.0, 4000, 0.2, None, None, 3000) for n in range(1, 1001)]
    write_part(run, "finetune", "training_log", 0, to_arrow("training_log", steps), 0)
    for number, (split, first, rows) in enumerate(shards):
        if split == "test":
            if like:
                link_part(run, like, number)
            else:
                data = predictions(np.random.default_rng([seed, number]), split, first, rows)
                write_part(run, "evaluate", "predictions", number, data, 0)
    write_part(run, "score", "metrics", 0, to_arrow("metrics", metrics(np.random.default_rng(seed))), 0)


def predictions(random: np.random.Generator, split: str, first: int, rows: int) -> pa.Table:
    gold = np.tile(golden(split, first, rows), 2)
    scores = random.dirichlet(np.full(len(LABELS), 0.4), 2 * rows)
    right = np.array([LABELS.index(label) for label in gold])
    hit = random.random(2 * rows) < np.repeat([0.5, 0.1], rows)
    best = scores.argmax(axis=1)
    scores[hit, best[hit]], scores[hit, right[hit]] = scores[hit, right[hit]], scores[hit, best[hit]]
    said = np.array(LABELS)[scores.argmax(axis=1)]
    offsets = np.arange(2 * rows + 1) * len(LABELS)
    columns = {
        "utterance_id": np.tile(names(split, first, rows), 2),
        "system": np.repeat(["tuned", "untuned"], rows),
        "gold": gold,
        "predicted": said,
        "scores": pa.MapArray.from_arrays(offsets, np.tile(LABELS, 2 * rows), scores.ravel()),
        "raw": said,
        "seconds": random.random(2 * rows),
        "n_prompt_tokens": pa.nulls(2 * rows, pa.int64()),
        "n_tokens": pa.nulls(2 * rows, pa.int64()),
    }
    return pa.table(columns, schema=SCHEMAS["predictions"])


def metrics(random: np.random.Generator) -> list[Metric]:
    found = []
    for system in ("tuned", "untuned", "majority", "tfidf_lr"):
        values = {name: random.random() for name in ("accuracy", "weighted_f1", "macro_f1")}
        values |= {"support": 50_000.0, "dialogues": 5_000.0, "unparsed": 0.0}
        found += [Metric("demo", "test", system, name, None, None, value, 0.1, 0.9) for name, value in values.items()]
        for gold in LABELS:
            names_ = ("precision", "recall", "f1", "support")
            found += [Metric("demo", "test", system, name, gold, None, random.random(), 0.1, 0.9) for name in names_]
            found += [Metric("demo", "test", system, "confusion", gold, said, 100.0) for said in LABELS]
    return found


def names(split: str, first: int, rows: int) -> list[str]:
    return [f"demo/{split}/{n // LINES}/{n % LINES}" for n in range(first, first + rows)]


def golden(split: str, first: int, rows: int) -> list[str]:
    random = np.random.default_rng([len(split), first])
    return [str(label) for label in random.choice(LABELS, rows, p=SHARES)]


def write_part(run: Run, stage: str, table: str, shard: int, data: pa.Table, rejected: int) -> None:
    layout, key = run.layout, run.key(BY_NAME[stage])
    path = layout.part(table, key, shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_tables(path, table, [data])
    if rejected:
        write_rejects(layout, stage, key, shard, rejected)
    write_manifest(run, path, key, shard, data.num_rows, rejected)


def write_manifest(run: Run, path: Path, key: str, shard: int, rows: int, rejected: int) -> None:
    about = {"stage_key": key, "shard": shard, "rows": rows, "rejects": rejected, "rejected_utterances": rejected}
    about |= {"bytes": path.stat().st_size, "sha256": file_sha256(path), "seconds": 30.0, "run_id": run.run_id}
    path.with_suffix(".json").write_text(json.dumps({**about, "finished_at": "2026-01-02T03:04:05.678+00:00"}))


def write_rejects(layout: Layout, stage: str, key: str, shard: int, rows: int) -> None:
    path = layout.part("rejects", key, shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {
        "utterance_id": [f"demo/train/{shard}/r{n}" for n in range(rows)],
        "stage": [stage] * rows,
        "reason": ["no_frames"] * rows,
        "detail": ["the video has no frames"] * rows,
    }
    parquet.write_tables(path, "rejects", [pa.table(columns, schema=SCHEMAS["rejects"])])


def link_part(run: Run, like: Run, shard: int) -> None:
    stage = BY_NAME["evaluate"]
    source = like.layout.part("predictions", like.key(stage), shard)
    path = run.layout.part("predictions", run.key(stage), shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.link(source, path)
    rows = json.loads(source.with_suffix(".json").read_bytes())["rows"]
    write_manifest(run, path, run.key(stage), shard, rows, 0)
