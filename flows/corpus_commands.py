"""Commands about a corpus of one's own: corpus init."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Annotated

import typer

from model.errors import SettingsError

CONFIG, TABLE = "corpus.toml", "corpus.csv"

_CONFIG = """\
# A corpus of one's own: corpus.csv, one row per utterance. Columns and reasons of rejects: docs/own-corpus.md.
name = {name}
workspace = "workspace"
seed = 7
model = "smollm2-135m-instruct"

[ingest]
corpus = "table"
file = {file}   # or .tsv, .jsonl, .parquet; relative to the folder that the program is started in
labels = "meld"   # the set that the emotions are from: "meld", "emorynlp" or "iemocap"
# columns = {{text = "Utterance", turn = "Utterance_ID"}}   # the table's own names, where they differ
# videos = "path/to/videos"   # what the column video is relative to; text only without it

[captions]
model = "HuggingFaceTB/SmolVLM2-256M-Video-Instruct"   # used where there are videos

[finetune]
epochs = 1
"""

_TABLE = """\
split,dialogue_id,turn,speaker,text,emotion,sentiment,video,start_s,end_s
train,kitchen,0,Ana,Who left the window open?,anger,negative,,,
train,kitchen,1,Ben,"It was me, I am sorry.",sadness,negative,,,
train,post,0,Ana,The letter is here!,joy,positive,,,
train,post,1,Ben,Already? I thought it took a week.,surprise,neutral,,,
dev,garden,0,Cem,There is something in the shed.,fear,negative,,,
dev,garden,1,Ana,It is only the cat.,neutral,neutral,,,
test,soup,0,Ben,There is a fly in this soup.,disgust,negative,,,
test,soup,1,Cem,I shall bring you another.,neutral,neutral,,,
"""


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    corpus = typer.Typer(help="A corpus of one's own.", no_args_is_help=True)
    corpus.callback()(_corpus)
    corpus.command(epilog="Example: dialoguellm corpus init talks")(init)
    app.add_typer(corpus, name="corpus")


def init(folder: Annotated[Path, typer.Argument(help="Folder to write into; made where it is missing.")]) -> None:
    """Write a configuration and a small table to start a corpus from; overwrites nothing."""
    config, table = folder / CONFIG, folder / TABLE
    if taken := [str(path) for path in (config, table) if path.exists() or path.is_symlink()]:
        raise SettingsError(f"{', '.join(taken)} is there already; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    table.write_text(_TABLE, encoding="utf-8")
    text = _CONFIG.format(name=_quoted(_run_name(folder)), file=_quoted(str(table)))
    config.write_text(text, encoding="utf-8")
    typer.echo(f"{table}: one row per utterance, replace them by yours")
    typer.echo(f"{config}: then `dialoguellm run {shlex.quote(str(config))} --until ingest`, and `dialoguellm rejects`")


def _corpus() -> None:
    """A corpus of one's own."""


def _run_name(folder: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name).lstrip("-_.")
    return name[:64] or "corpus"


def _quoted(text: str) -> str:
    """``text`` as a TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
