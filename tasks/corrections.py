"""The bias of label probabilities taken back in both ways that are fitted on dev: by one number, or by one a label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from model.dialogue import Metric, Prediction, Utterance
from tasks import biases, prior
from tasks.prior import Goal

SUFFIXES = (prior.SUFFIX, biases.SUFFIX)
Choice = Goal | Literal["off"]


def corrected(
    predictions: Sequence[Prediction],
    dev: Sequence[Prediction],
    utterances: Sequence[Utterance],
    by_prior: Choice,
    by_biases: Choice,
) -> tuple[list[Prediction], list[Metric]]:
    """``predictions`` corrected, as systems of their own, and what was fitted, as metrics of dev.

    ``tau`` is that of the prior; ``bias`` (of a label, in nats) and ``bias_share`` (how much of the fitted biases is
    used, 0 to 1) are of the biases.
    """
    found: list[Prediction] = []
    fitted: list[Metric] = []
    if by_prior != "off":
        more, taus = prior.corrected(predictions, dev, utterances, by_prior)
        found += more
        for (corpus, system), tau in taus.items():
            fitted.append(Metric(corpus, "dev", system + prior.SUFFIX, "tau", None, None, tau))
    if by_biases != "off":
        more, known = biases.corrected(predictions, dev, by_biases)
        found += more
        for (corpus, system), one in known.items():
            name = system + biases.SUFFIX
            fitted.append(Metric(corpus, "dev", name, "bias_share", None, None, one.share))
            fitted += [Metric(corpus, "dev", name, "bias", label, None, value) for label, value in one.of.items()]
    return found, fitted


def base_of(system: str) -> str:
    """The system that a corrected one was made of: ``base_of("tuned+prior") == "tuned"``; any other itself."""
    for suffix in SUFFIXES:
        system = system.removesuffix(suffix)
    return system
