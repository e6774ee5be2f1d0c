"""Does the tuned model look at the video? It answers the same lines with other descriptions.

``dropped``: without any; ``swapped_within``: each with that of another line of the same gold emotion;
``swapped_across``: of another emotion; ``constant``: one and the same for all. Beside it stands what a linear
classifier makes of the captions alone (``captions_alone``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from model.dialogue import Caption
from storage import findings, ledger
from storage.ledger import Record
from tasks.caption_probe import captions_alone, commonest
from tasks.caption_swaps import swapped_across, swapped_within
from tasks.compare import Pair, differences, pairs
from tasks.evaluate import chosen
from tasks.export_model import finished_adapter
from tasks.label_scoring import gold_of
from tasks.plan import Run
from tasks.publish import publish
from tasks.reassemble import SplitRows, as_they_are, prompts, read_split, train_rows
from tasks.stage import Progress, no_progress
from tasks.systems import Said
from tasks.tally import Answers
from tasks.tuned_scores import score

VERSION = 1
"""To be raised with every change of the conditions: it is part of the key under which results are kept."""

CONSTANT = "People are seen talking."
KINDS = ("all", "names an emotion", "names none")
COLUMNS = (
    *("run_id", "counterfactual", "adapter_key", "condition", "against", "captions", "corpus", "split", "metric"),
    *("utterances", "dialogues", "uncaptioned", "changed", "value", "against_value", "change", "low", "high"),
    *("p", "swap_p", "detectable", "resamples", "seed"),
)
_OURS = ("corpus", "split", "metric", "utterances", "dialogues", "low", "high", "p", "swap_p", "detectable")


@dataclass(frozen=True, slots=True)
class Options:
    """``seed`` is that of the swaps and of the bootstrap's draws, of which there are ``resamples``."""

    split: str = "dev"
    resamples: int = 10_000
    seed: int = 0


def counterfactual(run: Run, options: Options, progress: Progress = no_progress) -> list[Record]:
    """The rows of ``counterfactuals``, kept and published; measured before, they are not measured again.

    A new measurement on test is put on record as a reading of it. Raises SettingsError where prompts hold no
    descriptions, WorkspaceError where prompts, captions or adapter are not there or not what they were.
    """
    key = _key(run, options)
    kept = findings.counterfactual(run.layout, run.run_id, key)
    if kept is not None:
        return [{name: row[name] for name in COLUMNS} for row in kept]
    split = _opened(run, options.split)
    about: Record = {"run_id": run.run_id, "counterfactual": key, "adapter_key": run.keys["finetune"]}
    about |= {"resamples": options.resamples, "seed": options.seed}
    found = [{**about, **row} for row in (*_of_the_model(split, options, progress), *_of_captions(split, options))]
    rows = [{name: row[name] for name in COLUMNS} for row in found]
    findings.save_counterfactual(run.layout, run.run_id, key, rows)
    publish(run)
    return rows


def descriptions(split: SplitRows, seed: int) -> dict[str, dict[str, str]]:
    """By condition what each captioned line's description says then, by utterance id."""
    given: dict[str, Mapping[str, Caption]] = {
        "swapped_within": swapped_within(split.utterances, split.captions, seed),
        "swapped_across": swapped_across(split.utterances, split.captions, seed),
    }
    swapped = {name: {line: row.text for line, row in rows.items()} for name, rows in given.items()}
    return {"dropped": {}, **swapped, "constant": dict.fromkeys(split.captions, CONSTANT)}


def _opened(run: Run, name: str) -> SplitRows:
    finished_adapter(run)  # before anything is put on record
    read_split(run, "train")
    if name == "test":
        shards = sum(item["split"] == name for item in run.shards() or [])
        ledger.record_reading(run.layout, run.run_id, run.keys["finetune"], "counterfactual", shards)
    return read_split(run, name)


def _of_the_model(split: SplitRows, options: Options, progress: Progress) -> list[Record]:
    settings: Any = split.run.settings["evaluate"]
    made = {"original": as_they_are(split)}
    made |= {name: prompts(split, texts) for name, texts in descriptions(split, options.seed).items()}
    wanted = {
        name: [row for row in rows if gold_of(row) is not None and chosen(row.utterance_id, settings)]
        for name, rows in made.items()
    }
    scored = iter(score(split.run, [row for rows in wanted.values() for row in rows], progress))
    said: dict[str, Answers] = {}
    for name, rows in wanted.items():
        said[name] = {one.row.utterance_id: one.labels[one.scored.best] for _, one in zip(rows, scored, strict=False)}
    texts = {name: {row.utterance_id: row.prompt for row in rows} for name, rows in wanted.items()}
    return [
        {**row, "changed": sum(texts[name][line] != texts["original"][line] for line in lines)}
        for name in list(said)[1:]
        for row, lines in _effects(split, options, (name, said[name]), ("original", said["original"]))
    ]


def _of_captions(split: SplitRows, options: Options) -> list[Record]:
    settings: Any = split.run.settings["evaluate"]
    train, captions = train_rows(split.run)
    lines = [row for row in split.utterances if chosen(row.utterance_id, settings)]
    alone = captions_alone(train, lines, captions | split.captions)
    floor = {name: label for name, label in commonest(train, lines).items() if name in alone}
    found = _effects(split, options, ("captions_alone", alone), ("majority", floor)) if alone else []
    return [{**row, "changed": None} for row, _ in found]


def _effects(
    split: SplitRows, options: Options, one: tuple[str, Answers], other: tuple[str, Answers]
) -> list[tuple[Record, list[str]]]:
    """The scores of one set of answers against another, of all lines and by kind of caption; and those lines."""
    gold = {row.utterance_id: row.emotion for row in split.utterances}
    first, second = (
        Said(split.run, name, {line: gold[line] for line in answers}, answers) for name, answers in (one, other)
    )
    found = []
    for pair in pairs(first, second, split.split, intersect=True):
        for kind in KINDS:
            lines = [name for name in pair.first.answers if kind in ("all", _kind(split.captions.get(name)))]
            about: Record = {"condition": one[0], "against": other[0], "captions": kind}
            about["uncaptioned"] = sum(name not in split.captions for name in lines)
            some = differences(_only(pair, lines), options.resamples, options.seed) if lines else []
            for row in some:
                values = asdict(row)
                ours = {name: values[name] for name in _OURS} | {"change": row.difference}
                ours |= {"value": row.first_value, "against_value": row.second_value}
                found.append(({**about, **ours}, lines))
    return found


def _kind(caption: Caption | None) -> str:
    return "" if caption is None else KINDS[1] if caption.emotion_words else KINDS[2]


def _only(pair: Pair, lines: Sequence[str]) -> Pair:
    sides = (
        replace(
            side, gold={name: side.gold[name] for name in lines}, answers={name: side.answers[name] for name in lines}
        )
        for side in (pair.first, pair.second)
    )
    first, second = sides
    return replace(pair, first=first, second=second)


def _key(run: Run, options: Options) -> str:
    """Changes with the options and with what was captioned, written and learned, made again under the same key too."""
    made = {
        stage.name: [
            (ledger.shard_state(run.layout, stage.writes, run.key(stage), shard)[1] or {}).get("sha256")
            for shard in run.shards_of(stage) or []
        ]
        for stage in run.stages()
        if stage.name in ("captions", "instructions", "finetune")
    }
    text = json.dumps([VERSION, CONSTANT, asdict(options), run.run_id, made], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
