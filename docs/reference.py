"""Writes docs/commands.md and docs/settings.md from the program: `python docs/reference.py`, or `make docs`.

Commands come from typer's own generator, settings from the JSON schema of the pydantic models that check them.
A test holds that both pages are what this file would write.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))

from flows.parameters import GridRequest, PipelineRequest, RerunRequest  # noqa: E402
from flows.run_settings import Hints, RunSettings  # noqa: E402
from storage.leases import SECONDS  # noqa: E402
from storage.mirror import COPIES  # noqa: E402
from tasks.hosts import RANKS  # noqa: E402
from tasks.server_settings import ServerSettings  # noqa: E402
from tasks.stage import StageSettings  # noqa: E402
from tasks.stages import STAGES  # noqa: E402

TOP = {
    "name": 'text, needed: what its runs are called; 1 to 64 letters, digits, "-", "_" or ".".',
    "workspace": 'path or `s3://bucket/prefix`, default `"workspace"`: where all that is made lies.',
    "model": "text: the language model of instructions, finetune, calibrate and evaluate, where they name none.",
    "seed": "whole number: the seed of every stage that has one and does not set it.",
    "run": "table: [where shards are worked on](#run).",
}
"""What a configuration may say outside of its tables; flows/settings.py checks them itself."""

VARIABLES = {
    "OPENAI_API_KEY": "the key of a captions or evaluation server; `server_key_env` names another.",
    " or ".join(RANKS): "which host this is, from 0, where [several train](finetune.md#several-hosts).",
    COPIES: "folder of the copies of [a workspace in a bucket](machines.md#a-workspace-in-a-bucket).",
    SECONDS: "after how many seconds a lock in a bucket is given up for another machine, 60 unless set.",
    "AWS_…": "keys, region and address of the bucket, as boto3 knows them.",
    "PREFECT_…": "Prefect's own settings, `PREFECT_API_URL` above all: its server.",
}
"""What is read besides; a model's hub and torch have variables of their own."""

KINDS = {
    "string": "text",
    "path": "path",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "object": "table",
}

FORMS = """\
The fields of the forms in Prefect's UI, and of `prefect deployment run`; the command line makes the
same of its options."""

HEAD = """\
# Settings

Every setting of a configuration: made by `make docs` from the models that check them. A configuration is a TOML file
with a table for each stage; [configs/](../configs/demo.toml) has those that are shipped. One setting is changed for a
run by `--set`, with the names below:

```console
$ dialoguellm run demo --set captions.prompt=facial-cues --set finetune.epochs=2
```

An unknown name or a value out of range is refused with all others at once, before anything runs. A changed setting
makes new results beside the old ones; one that cannot change a result (processes, batch sizes, where files lie)
does not. "Default none" is a setting that is left out."""


def main() -> None:
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")


def pages() -> dict[str, str]:
    """File name to text of each generated page."""
    return {"commands.md": commands(), "settings.md": settings()}


def commands() -> str:
    import typer
    from typer.cli import get_docs_for_click

    from flows.cli import app

    command = typer.main.get_command(app)
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name="dialoguellm", title="Commands")
    text = text.replace("**Usage**:\n\n```console\n$ ", "**Usage**:\n\n```text\n")
    text = re.sub(r"^Example: (.+)$", r"Example:\n\n```console\n$ \1\n```", text, flags=re.M)
    first, rest = text.split("\n## ", 1)
    text = re.sub(r"^\* `([a-z]+)`: ", r"* [`\1`](#dialoguellm-\1): ", first, flags=re.M) + "\n## " + rest
    lead = "Made by `make docs` from the program; `dialoguellm COMMAND --help` says the same."
    return _linked(text.replace("# Commands\n", f"# Commands\n\n{lead}\n", 1).strip()) + "\n"


def settings() -> str:
    parts = [HEAD, "## Outside of all tables", _bullets(TOP.items())]
    parts += ["## Every stage", "In the table of each stage.", *_section(StageSettings)]
    for stage in STAGES:
        parts += [f"## [{stage.name}]", *_section(stage.settings)]
        if issubclass(stage.settings, ServerSettings):
            parts.append("Also what [a model's server](#a-models-server) needs.")
    parts += ["## A model's server", "In `[captions]`, `[evaluate]` and `[calibrate]`.", *_section(ServerSettings)]
    parts += ["## [run]", *_section(RunSettings)]
    parts += ["## [run.hints.STAGE]", *_section(Hints)]
    parts += ["## What flows are asked for", FORMS]
    for request in (PipelineRequest, RerunRequest, GridRequest):
        parts += [f"### {request.__name__}", *_section(request)]
    parts += ["## Variables of the environment", _bullets(VARIABLES.items())]
    return "\n\n".join(parts) + "\n"


def _section(model: type[BaseModel]) -> list[str]:
    """What a model is for, and its fields but for those that a base of it has just so."""
    schema = _schema(model)
    known = [_schema(base)["properties"] for base in model.__mro__[1:] if getattr(base, "model_fields", {})]
    fields = {
        name: field
        for name, field in schema["properties"].items()
        if not any(base.get(name) == field for base in known)
    }
    needed = schema.get("required", [])
    told = {name: _told(field, schema, name in needed) for name, field in fields.items()}
    about = [] if model in (StageSettings, ServerSettings) else [_line(model.__doc__ or "")]
    return [*about, _bullets(told.items())]


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    """Its JSON schema, with ``properties`` at the top also where the model holds itself."""
    schema = model.model_json_schema()
    return {**schema["$defs"][model.__name__], **schema} if "$ref" in schema else schema


def _told(field: Mapping[str, Any], schema: Mapping[str, Any], needed: bool) -> str:
    """``whole number, 1 to 64; default `4`. Most frames …`` of one field."""
    kind = " or ".join(_kinds(field, schema.get("$defs", {})))
    default = "needed" if needed else f"default {_value(field.get('default', {}))}"
    return f"{kind}; {default}. {_line(field.get('description', ''))}"


def _kinds(field: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[str]:
    """What values a field may have, in words; without None, which stands for a setting that is left out."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        yield from _kinds(known[name], known) if "enum" in known[name] else ["table"]
    elif "anyOf" in field:
        for item in field["anyOf"]:
            yield from _kinds(item, known)
    elif "enum" in field or "const" in field:
        yield ", ".join(map(_value, field.get("enum") or [field["const"]]))
    elif field["type"] == "array":
        yield "list of " + (" or ".join(_kinds(field["items"], known)) if "items" in field else "values")
    elif field["type"] != "null":
        yield KINDS.get(field.get("format"), KINDS[field["type"]]) + _range(field)


def _range(field: Mapping[str, Any]) -> str:
    """Its bounds, in words: ``, 0 to 1``, ``, above 0, below 1``."""
    least, most = field.get("minimum"), field.get("maximum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}"
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "up to", "exclusiveMaximum": "below"}
    return "".join(f", {word} {field[name]:,}" for name, word in words.items() if name in field)


def _value(value: Any) -> str:
    """As TOML has it, which is as JSON has it but for what is not there."""
    return "none" if value is None else f"`{json.dumps(value, ensure_ascii=False)}`"


def _bullets(items: Iterable[tuple[str, str]]) -> str:
    return "\n".join(f"- `{name}`: {text}" for name, text in items)


def _line(text: str) -> str:
    """A docstring as one line of Markdown."""
    return _linked(re.sub(r"\s+", " ", text).strip().replace("``", "`").replace("<", "\\<"))


def _linked(text: str) -> str:
    """A page that is named becomes a link to it."""
    return re.sub(r"docs/([a-z-]+\.md)", r"[\1](\1)", text)


if __name__ == "__main__":
    main()
