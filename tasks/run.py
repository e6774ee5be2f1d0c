"""Runs one shard of one stage of a run: reads its rows, calls the stage, writes the result or the failure."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import lru_cache
from typing import Any

from model.dialogue import SPLITS, Rejected, Utterance, split_of
from model.errors import CorpusError, WorkspaceError
from storage import files, journal, ledger
from storage.files import write_json
from storage.layout import Layout
from storage.ledger import Record
from storage.shards import Manifest, read_columns, read_manifest, read_rows, read_table, write_shard
from storage.tables import from_arrow
from tasks import few_shot, shard_facts
from tasks.corpora import leaks
from tasks.folders import results_of
from tasks.ingest import videos_root
from tasks.ingest_settings import IngestSettings
from tasks.plan import Run
from tasks.publish import facts
from tasks.stage import Context, Progress, Stage, no_progress
from tasks.stages import BY_NAME, STAGES, producer

log = logging.getLogger(__name__)


class ShardRows(Mapping[str, Sequence[Any]]):
    """The rows that a stage is handed, by table, each read when it is first asked for.

    Only shards of the stage's own splits are ever opened; asked for a line of another, or handed one by a list of
    shards that is wrong, it raises WorkspaceError. A table whose stage is off is empty. ``rejects`` holds the rejected
    rows of every stage of the run; a stage that may not see every split has no such table. ``examples`` holds the
    utterances of some train shards of the shard's corpus, the same for every shard of it.
    """

    def __init__(self, run: Run, stage: Stage, shard: int) -> None:
        self._run = run
        more = ["rejects"] * stage.splits.issuperset(SPLITS) + ["examples"] * stage.examples
        self._tables = (*stage.reads, *more)
        self._stage = stage
        self._shard = shard
        self._seed = getattr(run.settings[stage.name], "seed", 0)
        self._enough = getattr(run.settings[stage.name], "shots_pool", few_shot.POOL)
        cut = run.shards() or []
        self._shards = [
            item["shard"] for item in cut if item["split"] in stage.splits and (stage.unit or item["shard"] == shard)
        ]
        self._split = {item["shard"]: item["split"] for item in cut}
        self._loaded: dict[str, list[Any]] = {}

    def __getitem__(self, table: str) -> list[Any]:
        if table not in self._tables:
            raise KeyError(table)
        if table not in self._loaded:
            parts = self._parts(table)
            files.fetch(self._run.layout, (self._run.layout.part(*part) for part in parts))
            self._loaded[table] = (
                list(_pool(self._run.layout, *parts))
                if table == "examples"
                else [row for part in parts for row in self._allowed(read_rows(self._run.layout, *part))]
            )
        return self._loaded[table]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def columns(self, table: str, names: Sequence[str]) -> list[list[Any]]:
        """Some columns of a table, each a list, without reading the others or making rows of them."""
        if table not in self._tables:
            raise KeyError(table)
        parts = [read_columns(self._run.layout, *part, names) for part in self._parts(table)]
        if "utterance_id" in names:
            for cells in filter(None, (part[names.index("utterance_id")] for part in parts)):
                self._check_split(cells[0])
        return [[cell for part in parts for cell in part[place]] for place in range(len(names))]

    def select(self, table: str, utterance_ids: Iterable[str]) -> list[Any]:
        """The rows of a few utterances, without reading the whole table or a shard of another split."""
        wanted = list(utterance_ids)
        for name in wanted:
            self._check_split(name)
        splits = {split_of(name) for name in wanted if name.count("/")}
        parts = (read_table(self._run.layout, *part, utterance_ids=wanted) for part in self._parts(table, splits))
        return [row for data in parts if data.num_rows for row in from_arrow(table, data)]

    def reads(self) -> dict[str, str]:
        """Which rows these are, by table, as the manifests say: other rows, another digest."""
        return shard_facts.reads(self._run, {table: self._parts(table) for table in self._stage.reads})

    def _allowed(self, rows: list[Any]) -> list[Any]:
        """The rows of one shard, which are all of one split."""
        if rows and hasattr(rows[0], "utterance_id"):
            self._check_split(rows[0].utterance_id)
        return rows

    def _check_split(self, name: str) -> None:
        split = split_of(name) if name.count("/") else ""
        if split in {*SPLITS} - self._stage.splits:
            own = " and ".join(sorted(self._stage.splits))
            raise WorkspaceError(
                f"{self._stage.name} may not read {name}: it is handed {own} lines only, for evaluate alone opens "
                "test; where the list of shards says otherwise, run ingest again with --downstream --force"
            )

    def _parts(self, table: str, splits: Collection[str] = SPLITS) -> list[tuple[str, str, int]]:
        if table == "rejects":
            return [part for stage in self._run.stages() for part in self._rejects_of(stage)]
        if table == "examples":
            return [("utterances", self._run.keys["ingest"] or "", shard) for shard in self._example_shards()]
        stage = producer(table)
        key = self._run.keys[stage.name]
        if key is None:
            return []
        if stage.unit and stage.name != "ingest":
            return [(table, key, 0)]
        own = set(self._run.shards_of(stage) or []) if stage.name != "ingest" else set(self._shards)
        return [(table, key, shard) for shard in self._shards if shard in own and self._split[shard] in splits]

    def _example_shards(self) -> list[int]:
        """Train shards drawn by the stage's seed until they hold enough; ingest's key and the seed decide which."""
        cut = self._run.shards() or []
        corpus = _corpus_of(cut, self._shard)
        train = [item for item in cut if item["split"] == "train" and item.get("corpus") == corpus]
        sizes = [item["rows"] for item in train]
        return [train[place]["shard"] for place in few_shot.shards_of_pool(sizes, self._seed, self._enough)]

    def _rejects_of(self, stage: Stage) -> list[tuple[str, str, int]]:
        key = self._run.key(stage)
        layout, shards = self._run.layout, self._run.shards_of(stage) or []
        files.refresh(layout, layout.folder("rejects", key))
        return [("rejects", key, n) for n in shards if files.size(layout, layout.part("rejects", key, n)) is not None]


def run_shard(run: Run, stage_name: str, shard: int, progress: Progress = no_progress) -> Manifest:
    """Does one shard and returns its manifest; a failure is recorded beside it and raised again."""
    stage = BY_NAME[stage_name]
    with journal.keeping(run.layout, run.run_id), journal.about(run_id=run.run_id, stage=stage.name, shard=shard):
        log.info("begins")
        manifest = _run_shard(run, stage, shard, progress)
        facts = {name: manifest.get(name) for name in ("rows", "rejects", "seconds", "tokens", "retries")}
        said = f"done: {facts['rows']} rows, {facts['rejects']} rejects, {facts['seconds']:.2f} s"
        log.info(said, extra={"facts": facts})
    return manifest


def _run_shard(run: Run, stage: Stage, shard: int, progress: Progress) -> Manifest:
    key = run.key(stage)
    started = time.monotonic()
    facts: Record = {"run_id": run.run_id, "stage": stage.name, "version": stage.version}
    facts["retries"] = shard_facts.failures(run, stage, shard)
    try:
        rows, context = ShardRows(run, stage, shard), _context(run, stage, shard, shard_facts.told(progress))
        with closing(results_of(run, stage, rows, context)) as results:
            if stage.name == "ingest":
                return _write_corpus(run, key, results, facts, started)
            facts["inputs"] = _inputs(run, stage, shard)
            facts["reads"] = rows.reads()
            kept = shard_facts.filed(results, run.layout, context.folder, facts) if stage.unit else results
            summed = shard_facts.summed(kept, rows, stage, facts) if stage.totals else kept
            return write_shard(run.layout, stage.writes, key, shard, shard_facts.timed(summed, facts, started), facts)
    except Exception as error:
        shard_facts.record_failure(run, stage, shard, error)
        raise


def reject_share(run: Run, stage: Stage) -> float:
    """The share of utterances (0 to 1) that a finished stage rejected."""
    if stage.name == "ingest":
        found = [read_manifest(run.layout.shard_list(run.key(stage)))]
    else:
        found = [ledger.shard_state(run.layout, stage.writes, run.key(stage), n)[1] for n in run.shards_of(stage) or []]
    manifests = [item for item in found if item]
    inputs = sum(item.get("inputs", 0) for item in manifests)
    return sum(item.get("rejected_utterances", 0) for item in manifests) / inputs if inputs else 0.0


@lru_cache(maxsize=2)
def _pool(layout: Layout, *parts: tuple[str, str, int]) -> tuple[Utterance, ...]:
    """Rows that every shard of a stage is handed: read once in a process."""
    return tuple(row for part in parts for row in read_rows(layout, *part))


def _context(run: Run, stage: Stage, shard: int, progress: Progress) -> Context:
    layout = run.layout
    models = {other.name: layout.model(run.key(other)) for other in STAGES if run.keys[other.name]}
    folder = layout.report(run.run_id) if stage.name == "report" else models[stage.name]
    values = run.settings[stage.name]
    corpus = _corpus_settings(run, shard)
    return Context(
        cache=layout.cache,
        folder=folder,
        folders=models,
        videos=videos_root(corpus, layout.cache, run.record["stages"]["ingest"]["own"]["identity"]) if corpus else None,
        seed=getattr(values, "seed", 0),
        shard=shard,
        about=_about(run) if stage.name == "report" else run.record,
        progress=progress,
    )


def _about(run: Run) -> Record:
    """What a report tells of its run: the record, each reading of the test split by its adapter, what stages cost."""
    readings = ledger.test_reads(run.layout, run.run_id, run.keys["finetune"])
    return {**run.record, "test_readings": readings, "costs": facts(run).rows["stages"]}


def _corpus_settings(run: Run, shard: int) -> IngestSettings | None:
    """The settings of the corpus that a shard is of; None where the shards are not cut yet."""
    corpora = IngestSettings.model_validate(run.settings["ingest"]).corpora()
    if len(corpora) == 1:
        return corpora[0]
    name = _corpus_of(run.shards() or [], shard)
    return next((one for one in corpora if one.label_set() == name), None)


def _corpus_of(cut: Sequence[Record], shard: int) -> str | None:
    """The corpus of a shard; None in a list from before corpora could be joined, where all shards are of one."""
    return next((item.get("corpus") for item in cut if item["shard"] == shard), None)


def _write_corpus(run: Run, key: str, results: Iterable[Any], facts: Record, started: float) -> Manifest:
    """Cuts the lines into shards of whole dialogues, none of two corpora or splits; lists them when all are written."""
    size = getattr(run.settings["ingest"], "shard_utterances", 128)
    utterances: list[Utterance] = []
    rejects: list[Rejected] = []
    for row in results:
        (rejects if isinstance(row, Rejected) else utterances).append(row)
    groups = cut(utterances, size)
    if not groups:
        first = f", the first {rejects[0].utterance_id}: {rejects[0].detail}" if rejects else ""
        raise CorpusError(f"the corpus has no usable line; {len(rejects)} were rejected{first}")
    corpora = IngestSettings.model_validate(run.settings["ingest"]).corpora()
    silent = {one.label_set() for one in corpora if not one.has_videos()} if len(corpora) > 1 else set()
    seconds = time.monotonic() - started
    facts = {**facts, "seconds": seconds / max(1, len(groups)), "finished_at": ledger.now()}
    listed = []
    for shard, group in enumerate(groups):
        own = rejects if shard == 0 else []
        write_shard(run.layout, "utterances", key, shard, [*group, *own], facts)
        corpus, split = group[0].corpus, group[0].split
        about = {"corpus": corpus, "videos": corpus not in silent}
        listed.append({"shard": shard, "split": split, "rows": len(group), **about})
    manifest = {
        **facts,
        "stage_key": key,
        "shards": listed,
        "rows": len(utterances),
        "rejects": len(rejects),
        # what is left out on purpose says nothing of the transcripts, so it does not count towards max_rejects
        "rejected_utterances": len({row.utterance_id for row in rejects if row.reason != leaks.REASON}),
        "inputs": len(utterances) + len(rejects),
        "seconds": seconds,
    }
    write_json(run.layout, run.layout.shard_list(key), manifest)
    return manifest


def cut(utterances: list[Utterance], size: int) -> list[list[Utterance]]:
    """Shards of at most ``size`` utterances where dialogues allow it; order of splits and dialogues is kept."""
    homes: dict[tuple[str, str], dict[str, list[Utterance]]] = {}
    for row in utterances:
        homes.setdefault((row.corpus, row.split), {}).setdefault(row.dialogue_id, []).append(row)
    shards: list[list[Utterance]] = []
    for dialogues in homes.values():
        shards.append([])
        for lines in dialogues.values():
            if shards[-1] and len(shards[-1]) + len(lines) > size:
                shards.append([])
            shards[-1].extend(sorted(lines, key=lambda row: row.turn))
    return shards


def _inputs(run: Run, stage: Stage, shard: int) -> int:
    cut = run.shards() or []
    mine = [item for item in cut if item["split"] in stage.splits and (stage.unit or item["shard"] == shard)]
    return sum(item["rows"] for item in mine)
