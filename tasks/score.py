"""score: how good the predictions are, beside what no language model at all would reach on the same lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from model.dialogue import Metric, Prediction, Utterance, corpus_of, split_of
from model.emotions import labels
from tasks.floors import majority, tfidf_lr
from tasks.stage import Context, Rows, Stage, StageSettings

Answers = Mapping[str, str | None]
"""Utterance id to label, None where the answer did not parse."""


class ScoreSettings(StageSettings):
    """Nothing to choose: every system that predicted is scored, and so are both floors."""


def run(rows: Rows, settings: ScoreSettings, context: Context) -> Iterator[Metric]:  # noqa: ARG001
    """Metrics of every system in the predictions and of two floors, corpus by corpus and split by split.

    Only utterances that were predicted are scored; ``support`` with label None is their number. The floors know
    every train utterance of the corpus and none of another, however few of them the language model was trained on.
    """
    predictions: Sequence[Prediction] = rows["predictions"]
    utterances: Sequence[Utterance] = rows["utterances"]
    gold = {row.utterance_id: row.emotion for row in utterances}
    for corpus, split in dict.fromkeys(_home(row) for row in predictions):
        train = [row for row in utterances if (row.corpus, row.split) == (corpus, "train")]
        systems: dict[str, dict[str, str | None]] = {}
        for row in predictions:
            if _home(row) == (corpus, split):
                systems.setdefault(row.system, {})[row.utterance_id] = row.predicted
        scored = {utterance_id for answers in systems.values() for utterance_id in answers}
        lines = [row for row in utterances if row.utterance_id in scored]
        floors = {"majority": majority(train, lines), "tfidf_lr": tfidf_lr(train, lines)} if train else {}
        everything: dict[str, Answers] = {**systems, **floors}
        for done, (system, answers) in enumerate(everything.items(), 1):
            yield from metrics(corpus, split, system, gold, answers)
            context.progress(done, len(everything), f"systems on {corpus} {split}")


def _home(row: Prediction) -> tuple[str, str]:
    return corpus_of(row.utterance_id), split_of(row.utterance_id)


def metrics(corpus: str, split: str, system: str, gold: Mapping[str, str], answers: Answers) -> Iterator[Metric]:
    """All scores of one system over a corpus's labels: shares in 0..1 and counts. An answer of None is always wrong.

    Weighted F1 weighs each label's F1 by its share of the gold labels; macro F1 is the plain mean over the labels
    that occur as gold. A label never predicted has precision 0, one that never occurs has recall 0.
    """
    names = labels(corpus)
    pairs = Counter((gold[utterance_id], said) for utterance_id, said in answers.items())
    total = sum(pairs.values())
    classes = {name: _class(pairs, name) for name in names}
    occurring = [scores for scores in classes.values() if scores["support"]]

    def metric(name: str, value: float, label: str | None = None, predicted: str | None = None) -> Metric:
        return Metric(corpus, split, system, name, label, predicted, float(value))

    yield metric("support", total)
    yield metric("unparsed", sum(count for (_, said), count in pairs.items() if said is None))
    yield metric("accuracy", sum(pairs[name, name] for name in names) / total)
    yield metric("weighted_f1", sum(scores["f1"] * scores["support"] for scores in occurring) / total)
    yield metric("macro_f1", sum(scores["f1"] for scores in occurring) / len(occurring))
    for label, scores in classes.items():
        for name, value in scores.items():
            yield metric(name, value, label)
    for label in names:
        for said in (*names, None):
            if said or pairs[label, said]:
                yield metric("confusion", pairs[label, said], label, said)


def _class(pairs: Counter[tuple[str, str | None]], name: str) -> dict[str, float]:
    hits = pairs[name, name]
    support = sum(count for (gold, _), count in pairs.items() if gold == name)
    predicted = sum(count for (_, said), count in pairs.items() if said == name)
    return {
        "precision": hits / predicted if predicted else 0.0,
        "recall": hits / support if support else 0.0,
        "f1": 2 * hits / (predicted + support) if hits else 0.0,
        "support": support,
    }


STAGE = Stage(
    name="score",
    version=2,
    reads=("predictions", "utterances"),
    writes="metrics",
    row=Metric,
    settings=ScoreSettings,
    run=run,
    unit=True,
)
