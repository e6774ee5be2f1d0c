"""What assembling prompts costs: our stage beside `datasets.Dataset.map` writing the same texts, interleaved.

python benchmarks/instructions.py [--quick] [--utterances 1000000] [--shard 1000] [--cache workspace/cache]

The peer (pip install datasets) is given its context as ready columns; both read Parquet and end with a file, ours in
shards, each flushed to disk. Our rows hold the messages as well as the prompt; so do map_messages', no other peer's.
The floor without token counts is reading the columns and storing rows that are finished already; with them it is the
tokenizer alone: all prompts in one call, as users call it and as the stage does, which asks for nothing but the tokens.
Memory is the peak of a process of its own that runs the stage over the whole corpus, beside one that runs it over a
tenth.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from model import prompt, weights
from model.atomic import replacing, write_json
from model.chat import chat_template
from model.dialogue import Utterance
from model.packing import encode_prompts
from storage import parquet
from storage.layout import Layout, open_workspace
from storage.shards import read_columns, read_rows, read_table, write_shard
from storage.tables import Columns
from tasks.instructions import STAGE, InstructionsSettings
from tasks.stage import Context

SHARD, DIALOGUE, CONTEXT, KEY = 1_000, 10, 2, "0" * 16
COLUMNS = ("utterance_id", "corpus", "turn", "speaker", "text", "emotion")
WORDS = ("you", "know", "I", "really", "think", "that", "we", "should", "go", "now", "okay", "what", "tonight")
TASK = prompt.build(Utterance("", "meld", "", "", 0, "", "", "", ""), [], None).messages[0][1]


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        if options.child:
            stage(make_corpus(Path(folder), options.utterances), options.cache)
            # not getrusage: its peak includes that of the process which started this one
            print(int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) // 1024)
            return
        few = 10_000 if options.quick else 50_000
        figures = timed(Path(folder), few, options.cache, 3 if options.quick else 7, options.shard)
    for share, name in ((1, "peak_mib"), (10, "peak_mib_of_a_tenth")):
        figures[name] = peak_mib(options.utterances // share, options.cache)
    table = Table("figure", "value", title=f"prompts, {few:,} utterances; memory, {options.utterances:,}")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(figures))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer utterances and rounds")
    parser.add_argument("--utterances", type=int, default=1_000_000, help="for the memory figures")
    parser.add_argument("--cache", type=Path, default=Path("workspace/cache"), help="where the tokenizer is kept")
    parser.add_argument("--shard", type=int, default=SHARD, help="utterances a shard, for the times")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.utterances = min(options.utterances, 50_000) if options.quick else options.utterances
    return options


def make_corpus(folder: Path, utterances: int, size: int = SHARD) -> Layout:
    """Shards of made-up dialogues in a workspace, of ``size`` utterances each."""
    layout, rng = open_workspace(folder, create=True), random.Random(7)
    for shard in range(max(utterances // size, 1)):
        rows = []
        for number in range(shard * size, (shard + 1) * size):
            dialogue, turn = divmod(number, DIALOGUE)
            text = " ".join(rng.choices(WORDS, k=rng.randint(3, 16)))
            names = (f"meld/train/{dialogue}/{turn}", "meld", "train", str(dialogue))
            rows.append(Utterance(*names, turn, str(turn), rng.choice(("Monica", "Ross")), text, "joy"))
        write_shard(layout, "utterances", KEY, shard, rows, {})
    return layout


def shards_of(layout: Layout) -> range:
    return range(len(list(layout.folder("utterances", KEY).glob("*.parquet"))))


class Stored(Mapping[str, Any]):
    """The rows of one shard as a run hands them to the stage: columns straight from the file, no captions."""

    def __init__(self, layout: Layout, shard: int) -> None:
        self._layout, self._shard = layout, shard

    def columns(self, table: str, names: Sequence[str]) -> list[list[Any]]:
        if table == "captions":
            return [[] for _ in names]
        return read_columns(self._layout, table, KEY, self._shard, names)

    def __getitem__(self, table: str) -> list[Any]:
        return read_rows(self._layout, table, KEY, self._shard) if table == "utterances" else []

    def __iter__(self) -> Iterator[str]:
        return iter(("utterances", "captions"))

    def __len__(self) -> int:
        return 2


def stage(layout: Layout, cache: Path, key: str = KEY) -> None:
    """The stage as a run does it: prompts, token counts, cuts, checks for control tokens."""
    context, settings = Context(cache=cache, folder=layout.root), InstructionsSettings(context=CONTEXT)
    for shard in shards_of(layout):
        write_shard(layout, "instructions", key, shard, STAGE.run(Stored(layout, shard), settings, context), {})


def assembly(layout: Layout, tokenizer: Any, key: str, *, flush: bool) -> None:
    """The prompts alone, without the tokenizer: read, written as the stage writes them, stored."""
    writer = prompt.Writer(chat=chat_template(tokenizer))
    with flushing(flush):
        for shard in shards_of(layout):
            assemble(layout, writer, key, shard)


def assemble(layout: Layout, writer: prompt.Writer, key: str, shard: int) -> None:
    ids, corpora, turns, speakers, texts, answers = read_columns(layout, "utterances", KEY, shard, COLUMNS)
    firsts = [at - min(turn, CONTEXT) for at, turn in enumerate(turns)]
    made = writer.write(writer.lines(speakers, texts), map(prompt.Shown, corpora, firsts, count()))
    columns = {
        "utterance_id": ids,
        "variant": [""] * len(ids),
        "messages": made.messages,
        "prompt": made.texts,
        "answer": answers,
        "n_prompt_tokens": [0] * len(ids),
        "context_ids": [ids[first:at] for at, first in enumerate(firsts)],
        "caption_key": [None] * len(ids),
        "cuts": [()] * len(ids),
    }
    write_shard(layout, "instructions", key, shard, [Columns(columns)], {})


def reading(layout: Layout) -> None:
    """The floor's first part: the columns, as lists."""
    for shard in shards_of(layout):
        read_columns(layout, "utterances", KEY, shard, COLUMNS)


def storing(layout: Layout, tables: Sequence[pa.Table], key: str, *, flush: bool) -> None:
    """Its second part: finished rows as Parquet, each shard with its manifest."""
    with flushing(flush):
        for shard, table in enumerate(tables):
            with replacing(layout.part("instructions", key, shard)) as temporary:
                parquet.write_tables(temporary, "instructions", [table])
            write_json(layout.manifest("instructions", key, shard), {"rows": table.num_rows})


def flushing(wanted: bool) -> AbstractContextManager[Any]:
    """Without it files are left to the system to write, as the peer leaves its own."""
    return nullcontext() if wanted else patch("model.atomic.sync", new=lambda _: None)


def with_context(layout: Layout, target: Path) -> None:
    """The peer's input: the lines of each prompt in columns of its own."""
    table = pa.concat_tables(read_table(layout, "utterances", KEY, shard) for shard in shards_of(layout))
    lines = [f"{who}: {text}" for who, text in zip(*(table[c].to_pylist() for c in ("speaker", "text")), strict=True)]
    turns = table["turn"].to_pylist()
    context = [lines[at - min(turn, CONTEXT) : at] for at, turn in enumerate(turns)]
    columns = {"utterance_id": table["utterance_id"], "line": lines, "context": context, "answer": table["emotion"]}
    pq.write_table(pa.table(columns), target)


def mapped(
    source: Path, folder: Path, tokenizer: Any, *, tokens: bool = False, batched: bool = False, messages: bool = False
) -> Any:
    """The peer: the same texts by Dataset.map, as trainers' own examples do it; their ``messages`` too, if wanted."""
    from datasets import Dataset, disable_caching, disable_progress_bars

    disable_caching()
    disable_progress_bars()

    def chat(line: str, context: list[str]) -> list[dict[str, str]]:
        return [{"role": "system", "content": TASK}, {"role": "user", "content": "\n".join([*context, line])}]

    def text(said: list[dict[str, str]]) -> str:
        return str(tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True))

    def one(row: dict[str, Any]) -> dict[str, Any]:
        said = chat(row["line"], row["context"])
        found = text(said)
        more = {"n": len(tokenizer(found).input_ids)} if tokens else {}
        return {"prompt": found} | more | ({"messages": said} if messages else {})

    def many(rows: dict[str, Any]) -> dict[str, Any]:
        found = [text(chat(*asked)) for asked in zip(rows["line"], rows["context"], strict=True)]
        return {"prompt": found} | ({"n": [len(ids) for ids in tokenizer(found).input_ids]} if tokens else {})

    with tempfile.TemporaryDirectory(dir=folder) as cache:
        dataset = Dataset.from_parquet(str(source), cache_dir=cache)
        done = dataset.map(many if batched else one, batched=batched, cache_file_name=f"{cache}/done.arrow")
        return done["prompt"][:100], done["prompt"][-100:]


RATIOS = {
    "vs_datasets_map": ("map", "assembly"),
    "vs_datasets_map_batched": ("map_batched", "assembly"),
    "vs_datasets_map_unflushed": ("map", "assembly_unflushed"),
    "vs_datasets_map_batched_unflushed": ("map_batched", "assembly_unflushed"),
    "vs_datasets_map_with_messages": ("map_messages", "assembly"),
    "vs_datasets_map_with_messages_unflushed": ("map_messages", "assembly_unflushed"),
    "vs_map_with_tokens": ("map_tokens", "stage"),
    "vs_map_with_tokens_batched": ("map_tokens_batched", "stage"),
    "stage_vs_tokenizer_alone": ("stage", "tokenizer_alone"),
    "stage_vs_tokens_alone": ("stage", "tokens_alone"),
}
"""Whose median time over whose."""


def timed(folder: Path, utterances: int, cache: Path, rounds: int, size: int) -> dict[str, Any]:
    """Rows per second, and ratios of the medians; null where the peer is not installed."""
    ways = ways_of(folder, utterances, cache, size)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):  # interleaved: all see the same noise
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            times[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in times.items()}
    figures: dict[str, Any] = {f"{name}_rows_per_s": round(utterances / value) for name, value in median.items()}
    for name, (above, below) in RATIOS.items():
        figures[name] = round(median[above] / median[below], 2) if above in median else None
    whole, flushed = median["assembly"], median["storing"] - median["storing_unflushed"]
    shares = {"read": median["reading"], "store": median["storing"] - flushed, "flush": flushed}
    return figures | {f"assembly_{name}_share": round(value / whole, 2) for name, value in shares.items()}


def ways_of(folder: Path, utterances: int, cache: Path, size: int = SHARD) -> dict[str, Callable[[], Any]]:
    """What is timed, by name. Stops where the peer's prompts are not ours."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(weights.resolve(weights.DEFAULT, cache))
    layout, source = make_corpus(folder, utterances, size), folder / "peer.parquet"
    with_context(layout, source)
    stage(layout, cache)
    tables = [read_table(layout, "instructions", KEY, shard) for shard in shards_of(layout)]
    prompts = [text for table in tables for text in table["prompt"].to_pylist()]
    keys = (f"{n:016x}" for n in count(1))  # new files each time, as a run's are
    ways: dict[str, Callable[[], Any]] = {
        "assembly": lambda: assembly(layout, tokenizer, next(keys), flush=True),
        "assembly_unflushed": lambda: assembly(layout, tokenizer, next(keys), flush=False),
        "stage": lambda: stage(layout, cache, next(keys)),
        "reading": lambda: reading(layout),
        "storing": lambda: storing(layout, tables, next(keys), flush=True),
        "storing_unflushed": lambda: storing(layout, tables, next(keys), flush=False),
        "tokenizer_alone": lambda: tokenizer(prompts),
        "tokens_alone": lambda: encode_prompts(tokenizer, prompts),
    }
    if importlib.util.find_spec("datasets") is None:
        print("datasets is not installed: no figures of the peer")
        return ways
    for what in ((), ("batched",), ("messages",), ("tokens",), ("tokens", "batched")):
        ways["_".join(["map", *what])] = partial(mapped, source, folder, tokenizer, **dict.fromkeys(what, True))
    if ways["map"]() != (prompts[:100], prompts[-100:]):
        raise SystemExit("the peer's prompts differ from ours: the comparison would mean nothing")
    return ways


def peak_mib(utterances: int, cache: Path) -> int:
    command = [sys.executable, __file__, "--child", "--utterances", str(utterances), "--cache", str(cache)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


if __name__ == "__main__":
    main()
