"""The data card of an export: README.md as the hub reads it, front matter first.

Text from outside stands in it only inside one JSON block, where neither Markdown nor HTML is read and JSON's
own escapes leave no line to end the block.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.emotions import answers
from model.weights import HUB_ID
from tasks.corpora import demo, emorynlp, iemocap, meld, subtitles, table
from tasks.export_forms import EXPLAINED, Form
from tasks.ingest_settings import IngestSettings
from tasks.plan import Run

if TYPE_CHECKING:
    from tasks.export import Part

SOURCES = {
    module.__name__.rpartition(".")[2]: (module.CITATION, module.LICENCE)
    for module in (demo, emorynlp, iemocap, meld, subtitles, table)
}

_SHOWN = ("ingest", "keyframes", "captions", "instructions")


def render(run: Run, form: Form, parts: Sequence[Part]) -> str:
    """The card as Markdown. The same run and parts give the same text."""
    ingest: IngestSettings = run.settings["ingest"]  # type: ignore[assignment]
    names = [one.label_set() for one in ingest.corpora()]
    citations, licences = zip(*(SOURCES[one.corpus] for one in ingest.corpora()), strict=True)
    key = run.keys["instructions"]
    sections = [
        _front_matter(names, licences, parts),
        f"# Emotion instructions from {'the corpus' if len(names) == 1 else 'the corpora'} {' and '.join(names)}",
        "Each row asks for the emotion of the last line of a dialogue; rows are in the order of the corpus. "
        "The test split is not in here.",
        f"Form `{form.value}`: {EXPLAINED[form]}",
        '```python\nfrom datasets import load_dataset\n\nrows = load_dataset("path/to/this/folder")\n```',
        "## Rows",
        markdown_table(
            ("split", "file", "rows", "left out: no prompt", "bytes", "SHA-256"),
            [(_hub(part), part.file, part.rows, part.rejected, part.bytes, f"`{part.sha256}`") for part in parts],
        ),
        "## Labels",
        _labels(run, names, parts),
        "## Sources and licences",
        *dict.fromkeys(citations),
        *descriptions(run),
        "## How it was made",
        f"By dialoguellm {version('dialoguellm')}, from its stage instructions with the key `{key}`. "
        "Digest of what was read (SHA-256 over those of its shards, in order):",
        markdown_table(("split", "digest"), [(_hub(part), f"`{part.source}`") for part in parts]),
        f"```json\n{settings(run)}\n```",
    ]
    return "\n\n".join(sections) + "\n"


def _labels(run: Run, names: Sequence[str], parts: Sequence[Part]) -> str:
    """Rows by answer; of several corpora a table each, since the same word need not mean the same in two."""
    words = run.settings["instructions"].label_words  # type: ignore[attr-defined]
    tables = [
        markdown_table(
            ("label" if len(names) == 1 else name, *map(_hub, parts)),
            [(said, *(part.labels[name, said] for part in parts)) for said in answers(name, words)],
        )
        for name in names
    ]
    return "\n\n".join(tables)


def _front_matter(names: Sequence[str], licences: Sequence[str], parts: Sequence[Part]) -> str:
    kinds = list(dict.fromkeys(licences))
    files = [f"  - split: {_hub(part)}\n    path: {part.file}" for part in parts]
    return "\n".join(
        [
            "---",
            f"pretty_name: Emotion instructions ({', '.join(names)})",
            f"license: {kinds[0]}" if len(kinds) == 1 else "license:\n" + "\n".join(f"- {kind}" for kind in kinds),
            "language:\n- en",
            "task_categories:\n- text-generation",
            "tags:\n- emotion-recognition\n- dialogue",
            "configs:\n- config_name: default\n  data_files:",
            *files,
            "---",
        ]
    )


def _hub(part: Part) -> str:
    return Path(part.file).stem


def markdown_table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in (heads, ["---"] * len(heads), *rows))


def descriptions(run: Run) -> list[str]:
    if run.keys["captions"] is None or not run.settings["instructions"].described():  # type: ignore[attr-defined]
        return ["Text only: no description of a video."]
    return ["Descriptions of the videos were written by the model named below under captions; its own licence holds."]


def settings(run: Run, names: Sequence[str] = _SHOWN) -> str:
    """Run id and what decided the rows, as JSON of plain ASCII. Paths of the machine stay out."""
    stages: Mapping[str, Any] = run.record["stages"]
    shown = {name: {"key": run.keys[name], **_own(stages[name])} for name in names if run.keys[name]}
    return json.dumps({"run": run.run_id, "stages": shown}, indent=1, sort_keys=True, default=str)


def _own(stage: Mapping[str, Any]) -> dict[str, Any]:
    own: Mapping[str, Any] = stage.get("own", {})
    shown = dict(own.get("settings", {}))
    model = shown.get("model")
    if isinstance(model, str) and not HUB_ID.fullmatch(model):
        shown["model"] = Path(model).name  # its identity says which
    return {"settings": shown, "identity": own.get("identity", {}), "version": own.get("version")}
