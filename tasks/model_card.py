"""The card of an exported adapter or merged model: README.md as the hub reads it, front matter first.

Text from outside stands in it only as a Python literal, inside one JSON block, or letter by letter as a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Template

from model import prompt, weights
from model.chat import chat_template
from model.dialogue import Metric, Utterance
from model.emotions import answers
from model.plain import control_tokens
from model.weights import Origin
from storage.shards import read_rows
from tasks import data_card
from tasks.data_card import SOURCES, markdown_table
from tasks.ingest_settings import IngestSettings
from tasks.instructions import load_tokenizer
from tasks.parity import Parity
from tasks.plan import Run, plan_stage
from tasks.stages import BY_NAME

if TYPE_CHECKING:
    from tasks.export import Part

SHARES = {"accuracy": "accuracy", "weighted_f1": "weighted F1", "macro_f1": "macro F1"}
_STAGES = ("ingest", "keyframes", "captions", "instructions", "finetune", "evaluate")
_LINES = (("Ana", "I have been offered the job!"), ("Ben", "You have? That is wonderful!"))
_SEEN = "A man and a woman stand in a kitchen; both smile broadly."


def render(run: Run, parts: Sequence[Part], base: Path, parity: Parity | None = None, dtype: str = "") -> str:
    """The card as Markdown: of the adapter, or of the merged model if its ``parity`` is given.

    ``base`` is the folder of the base model, ``parts`` counts what was learned from. The same run gives the same text.
    """
    origin = weights.origin(run.settings["finetune"].model)  # type: ignore[attr-defined]
    corpora = _corpora(run)
    names = [one.label_set() for one in corpora]
    what = "LoRA adapter" if parity is None else "language model"
    scores = _scores(run)
    sections = [
        _front_matter(run, origin, corpora, scores, merged=parity is not None),
        f"# Emotion of a line of dialogue: {what} for {' and '.join(names)}",
        "Given a dialogue, it names the emotion of the last line, as one of the labels of the corpus that it was tuned "
        f"on. Made by dialoguellm {version('dialoguellm')}; tuned from `{_name(origin.name)}`.",
        "## How to use",
        *_use(run, origin, base, merged=parity is not None),
        "## Base model",
        _base(run, origin),
        "## Data",
        *_data(run, parts),
        *dict.fromkeys(SOURCES[one.corpus][0] for one in corpora),
        *data_card.descriptions(run),
        "## Scores",
        *_score_tables(run, scores),
        *([] if parity is None else ["## The merge", _merge(parity, dtype)]),
        "## Limits",
        _limits(run),
        "## Settings",
        f"```json\n{data_card.settings(run, _STAGES)}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _front_matter(
    run: Run, origin: Origin, corpora: Sequence[IngestSettings], scores: Sequence[Metric], *, merged: bool
) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    licences = {(origin.licence or "unknown").lower(), *(SOURCES[one.corpus][1] for one in corpora)}
    one_licence = licences.pop() if len(licences) == 1 else None
    results = [
        EvalResult(
            task_type="text-classification",
            dataset_type=row.corpus,
            dataset_name=row.corpus,
            dataset_split=row.split,
            metric_type="accuracy" if row.metric == "accuracy" else "f1",
            metric_name=SHARES[row.metric],
            metric_value=round(row.value, 4),
        )
        for row in scores
        if row.system == "tuned" and row.metric in SHARES and _share(run) == 1
    ]
    data = ModelCardData(
        base_model=_name(origin.name) if origin.on_hub else None,
        base_model_relation="finetune" if merged else "adapter",
        library_name="transformers" if merged else "peft",
        license=one_licence or "other",
        license_name=None if one_licence else "base-model-and-corpora",
        datasets=[one.label_set() for one in corpora],
        language="en",
        pipeline_tag="text-generation",
        tags=["emotion-recognition", "dialogue", "lora"],
        metrics=["accuracy", "f1"] if results else None,
        model_name=_name(run.run_id),
        eval_results=results or None,
    )
    return f"---\n{data.to_yaml().strip()}\n---"


def _use(run: Run, origin: Origin, base: Path, *, merged: bool) -> list[str]:
    """Code that runs once the folder is filled in: a made-up dialogue in the exact form of the training prompts."""
    settings: Any = run.settings["instructions"]
    tokenizer, corpus = load_tokenizer(base), _corpora(run)[0].label_set()
    lines = [
        Utterance(f"{corpus}/train/0/{turn}", corpus, "train", "0", turn, str(turn), speaker, text, "neutral")
        for turn, (speaker, text) in enumerate(_LINES)
    ]
    seen = _SEEN if settings.described() and run.keys["captions"] else None
    text = prompt.build(
        *(lines[1], lines[:1] if settings.context else [], seen),
        preset=settings.preset,
        speaker=settings.speaker,
        suffix=settings.suffix,
        words=settings.label_words,
        controls=control_tokens(tokenizer),
        chat=chat_template(tokenizer) if settings.preset == "sound" else None,
    ).text
    filled = {"base": origin.name, "prompt": text, "labels": [*answers(corpus, settings.label_words)]}
    literals = {name: ascii(value).replace("`", r"\x60") for name, value in filled.items()}
    code = Template(files("tasks").joinpath("model_card_use.jinja").read_text()).render(merged=merged, **literals)
    shots = (
        f"In training and evaluation the prompt also showed up to {settings.shots} labelled train lines, left out here."
    )
    return [f"```python\n{code.strip()}\n```", *([shots] if settings.shots else []), *([] if merged else [_VLLM])]


_VLLM = (
    "vLLM serves this folder beside its base as it is, with `--enable-lora --lora-modules NAME=FOLDER`, and "
    "`--max-lora-rank` where r is above 16. Ask for the model NAME at temperature 0, with the messages of the prompt "
    "where it is a chat, else with its text as a completion."
)


def _base(run: Run, origin: Origin) -> str:
    identity = run.record["stages"]["finetune"]["own"]["identity"].get("model", "")
    found = [f"`{_name(origin.name)}`, identity `{_name(str(identity))}`."]
    if not origin.on_hub:
        found.append("A folder of its owner's: the same weights must be put there to use this adapter.")
    if origin.note:
        found.append(
            f"Its numbers are those of a pinned quantised file ({origin.note}): on the model's own full-precision "
            "weights the adapter gives other scores than those below; the merged export holds the numbers themselves."
        )
    licence = origin.licence or "not known to this program: see the model's own page"
    return " ".join([*found, f"Licence: {licence}."])


def _data(run: Run, parts: Sequence[Part]) -> list[str]:
    most: int | None = run.settings["finetune"].max_examples  # type: ignore[attr-defined]
    rows = [(part.split, part.rows, part.rejected, f"`{part.source}`") for part in parts]
    drawn = (
        [f"A declared subset: {most} of the train rows, drawn by the seed."] if most and most < parts[0].rows else []
    )
    return [markdown_table(("split", "rows", "left out: no prompt", "digest (SHA-256 over its shards')"), rows), *drawn]


def _scores(run: Run) -> list[Metric]:
    """The run's scores over all labels; none where it was not evaluated."""
    stage = BY_NAME["score"]
    if not run.keys["score"] or plan_stage(run, stage).pending:
        return []
    return [row for row in read_rows(run.layout, stage.writes, run.key(stage), 0) if row.label is None]


def _score_tables(run: Run, scores: Sequence[Metric]) -> list[str]:
    if not scores:
        return ["Not evaluated."]
    found: dict[tuple[str, str, str], dict[str, Metric]] = {}
    for row in scores:
        found.setdefault((row.corpus, row.split, row.system), {})[row.metric] = row
    rows = [
        (*home, int(values["support"].value), *(_with_interval(values[name]) for name in SHARES))
        for home, values in found.items()
    ]
    part = f"Of the test dialogues {_share(run):.0%} were scored, drawn by a digest of their names. "
    return [
        f"{part if _share(run) < 1 else ''}Each label's probability is computed; the likeliest is the answer. "
        "`untuned` is the base model, `majority` the commonest train label, `tfidf_lr` a logistic regression on TF-IDF "
        "of all train lines' words. In brackets the 95 % interval, of a bootstrap over dialogues.",
        markdown_table(("corpus", "split", "system", "lines", *SHARES.values()), rows),
    ]


def _with_interval(row: Metric) -> str:
    around = "" if row.low is None or row.high is None else f" ({row.low:.4f} to {row.high:.4f})"
    return f"{row.value:.4f}{around}"


def _merge(parity: Parity, dtype: str) -> str:
    return (
        f"Merged in float32 and stored as {dtype}. On {parity.utterances} dev lines it was compared with the adapter "
        f"on its base: {parity.agreeing} get the same label, the largest difference of a label's probability is "
        f"{parity.largest_gap:.2g} ({parity.tolerance:g} was allowed); the adapter's own effect on a probability is up "
        f"to {parity.effect:.2g}. `parity.json` has the figures."
    )


def _limits(run: Run) -> str:
    limits = [
        "It gives any line one of its labels, also lines to which none of them fits.",
        "The labels say what raters heard in the corpora above. They do not say what a person feels: decide nothing "
        "about people by them.",
        "Scores are those of one run with one seed, on lines like those it was tuned on; other dialogues, languages "
        "and forms of the prompt were not measured.",
    ]
    if run.keys["captions"] and run.settings["instructions"].described():  # type: ignore[attr-defined]
        limits.append("It was tuned on prompts with a description of the video: without one, scores are others.")
    return "\n".join(f"- {limit}" for limit in limits)


def _share(run: Run) -> float:
    return float(run.settings["evaluate"].share)  # type: ignore[attr-defined]


def _corpora(run: Run) -> list[IngestSettings]:
    return list(IngestSettings.model_validate(run.settings["ingest"]).corpora())


def _name(text: str) -> str:
    """A name as it may stand in Markdown and YAML: letters, digits and what hub ids and digests are made of."""
    return re.sub(r"[^A-Za-z0-9_.@:/-]", "_", text)[:200]
