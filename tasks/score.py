"""score: how good the predictions are, beside what no language model at all would reach on the same lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from model.dialogue import Metric, Prediction, Utterance, corpus_of, split_of
from model.emotions import labels
from tasks.bootstrap import interval, resample, resampled_scores
from tasks.confidence import losses
from tasks.corrections import Choice, corrected
from tasks.floors import floors
from tasks.stage import Context, Rows, Stage, StageSettings
from tasks.tally import OF_A_LABEL, OVERALL, Answers, answers_of, dialogue_of, scores, tally


class ScoreSettings(StageSettings):
    """Every system that predicted is scored, and so are both floors."""

    resamples: int = Field(default=10_000, ge=1_000, le=1_000_000)
    """How often the dialogues are drawn anew for the 95 % intervals."""

    seed: int = 0
    """Seed of these draws."""

    prior: Choice = "weighted_f1"
    """Where calibrate scored dev: the score that decides there how much of the bias to common labels is taken back, for
    a system of its own beside each ("tuned+prior"); "off" leaves it out."""

    biases: Choice = "weighted_f1"
    """The same with a bias for each label instead of one number for all ("tuned+biases")."""


def run(rows: Rows, settings: ScoreSettings, context: Context) -> Iterator[Metric]:
    """Metrics of every system in the predictions and of two floors, corpus by corpus and split by split.

    Only utterances that were predicted are scored; ``support`` with label None is their number. The floors know
    every train utterance of the corpus and none of another, however few of them the language model was trained on.
    """
    utterances: Sequence[Utterance] = rows["utterances"]
    dev: Sequence[Prediction] = rows.get("dev_predictions", ())
    predictions: list[Prediction] = [*rows["predictions"], *dev]
    more, fitted = corrected(predictions, dev, utterances, settings.prior, settings.biases)
    predictions += more
    yield from fitted
    homes = list(dict.fromkeys(_home(row) for row in predictions))
    learned = {corpus: _floors(corpus, predictions, utterances) for corpus in dict.fromkeys(home[0] for home in homes)}
    for corpus, split in homes:
        own = [row for row in predictions if _home(row) == (corpus, split)]
        gold = {row.utterance_id: row.emotion for row in utterances if (row.corpus, row.split) == (corpus, split)}
        scored = {row.utterance_id for row in own}
        everything: dict[str, Answers] = {**answers_of(own)}
        for name, answers in learned[corpus].items():
            everything[name] = {line: said for line, said in answers.items() if line in scored}
        for done, (system, answers) in enumerate(everything.items(), 1):
            yield from metrics(corpus, split, system, gold, answers, settings)
            sure = [row for row in own if row.system == system]
            for name, value, bounds in losses(corpus, sure, settings.resamples, settings.seed):
                yield Metric(corpus, split, system, name, None, None, value, *(bounds or (None, None)))
            context.progress(done, len(everything), f"systems on {corpus} {split}")


def _floors(corpus: str, predictions: Sequence[Prediction], utterances: Sequence[Utterance]) -> dict[str, Answers]:
    """What the floors say of all predicted lines of a corpus, learned once for all of its splits."""
    predicted = {row.utterance_id for row in predictions if corpus_of(row.utterance_id) == corpus}
    return {**floors(utterances, predicted)}


def _home(row: Prediction) -> tuple[str, str]:
    return corpus_of(row.utterance_id), split_of(row.utterance_id)


def metrics(
    corpus: str, split: str, system: str, gold: Mapping[str, str], answers: Answers, settings: ScoreSettings
) -> Iterator[Metric]:
    """All scores of one system over a corpus's labels: shares in 0..1 with their intervals, and counts.

    Raises CorpusError where an answer has no gold label, or where either is no label of the corpus.
    """
    names = labels(corpus)
    by_dialogue = tally(corpus, gold, answers)
    counts = by_dialogue.sum(0)
    found = scores(counts)
    drawn = resampled_scores(resample(by_dialogue, settings.resamples, settings.seed))

    def metric(name: str, value: float, label: str | None = None, predicted: str | None = None) -> Metric:
        return Metric(corpus, split, system, name, label, predicted, float(value))

    def share(name: str, place: int | None = None) -> Metric:
        label, value = (None, found[name]) if place is None else (names[place], found[name][place])
        bounds = interval(drawn[name] if place is None else drawn[name][:, place]) or (None, None)
        return Metric(corpus, split, system, name, label, None, float(value), *bounds)

    yield metric("support", counts.sum())
    yield metric("dialogues", len({*map(dialogue_of, answers)}))
    yield metric("unparsed", counts[:, -1].sum())
    for name in OVERALL:
        yield share(name)
    for place, label in enumerate(names):
        yield from (share(name, place) for name in OF_A_LABEL)
        yield metric("support", counts[place].sum(), label)
    for label, row in zip(names, counts, strict=True):
        for said, count in zip((*names, None), row, strict=True):
            if said or count:
                yield metric("confusion", count, label, said)


STAGE = Stage(
    name="score",
    version=4,
    reads=("predictions", "dev_predictions", "utterances"),
    writes="metrics",
    row=Metric,
    settings=ScoreSettings,
    run=run,
    unit=True,
)
