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
# {what} Reasons of rejects: docs/own-corpus.md.
name = {name}
workspace = "workspace"
seed = 7
model = "smollm2-135m-instruct"

[ingest]
{ingest}

[captions]
model = "HuggingFaceTB/SmolVLM2-256M-Video-Instruct"   # used where there are videos

[finetune]
epochs = 1
"""

_INGEST_TABLE = """\
corpus = "table"
file = {file}   # or .tsv, .jsonl, .parquet; relative to the folder that the program is started in
labels = "meld"   # the set that the emotions are from: "meld", "emorynlp" or "iemocap"
# columns = {{text = "Utterance", turn = "Utterance_ID"}}   # the table's own names, where they differ
# videos = "path/to/videos"   # what the column video is relative to; text only without it"""

_INGEST_SUBTITLES = """\
corpus = "subtitles"
folder = {file}   # holds train/, dev/ and test/; relative to the folder that the program is started in
labels = "meld"   # the set that the emotions are from: "meld", "emorynlp" or "iemocap"
# videos = {file}   # where the videos lie, train/kitchen.mp4 for train/kitchen.srt; text only without it"""

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


_SUBTITLES = {
    "train/kitchen.srt": """\
1
00:00:00,500 --> 00:00:02,200
Ana: [anger] Who left the window open?

2
00:00:02,400 --> 00:00:04,000
Ben: [sadness] It was me, I am sorry.
""",
    "train/post.srt": """\
1
00:00:00,300 --> 00:00:01,900
Ana: [joy] The letter is here!

2
00:00:01,700 --> 00:00:04,100
Ben: [surprise] Already?
I thought it took a week.
""",
    "dev/garden.vtt": """\
WEBVTT

00:00.200 --> 00:02.000
<v Cem>[fear] There is something in the shed.

00:02.300 --> 00:03.700
<v Ana>[neutral] It is only the cat.
""",
    "test/soup.vtt": """\
WEBVTT

00:00.400 --> 00:02.100
<v Ben>[disgust] There is a fly in this soup.

00:02.300 --> 00:04.000
<v Cem>[neutral] I shall bring you another.
""",
}


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    corpus = typer.Typer(help="A corpus of one's own.", no_args_is_help=True)
    corpus.callback()(_corpus)
    corpus.command(epilog="Example: dialoguellm corpus init talks --subtitles")(init)
    app.add_typer(corpus, name="corpus")


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to write into; made where it is missing.")],
    subtitles: Annotated[bool, typer.Option("--subtitles", help="SRT and WebVTT files in place of a table.")] = False,
) -> None:
    """Write a configuration and a small table, or subtitles, to start a corpus from; overwrites nothing."""
    config, files = folder / CONFIG, _SUBTITLES if subtitles else {TABLE: _TABLE}
    paths = {folder / name: text for name, text in files.items()}
    if taken := [str(path) for path in (config, *paths) if path.exists() or path.is_symlink()]:
        raise SettingsError(f"{', '.join(taken)} is there already; name another folder")
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    config.write_text(_subtitles_config(folder) if subtitles else _table_config(folder), encoding="utf-8")
    told = "one cue per utterance" if subtitles else "one row per utterance"
    typer.echo(f"{folder if subtitles else folder / TABLE}: {told}, replace them by yours")
    typer.echo(f"{config}: then `dialoguellm run {shlex.quote(str(config))} --until ingest`, and `dialoguellm rejects`")


def _table_config(folder: Path) -> str:
    what = "A corpus of one's own: corpus.csv, one row per utterance."
    ingest = _INGEST_TABLE.format(file=_quoted(str(folder / TABLE)))
    return _CONFIG.format(what=what, name=_quoted(_run_name(folder)), ingest=ingest)


def _subtitles_config(folder: Path) -> str:
    what = "A corpus of one's own: a subtitle file per dialogue in train/, dev/ and test/, one cue per utterance."
    ingest = _INGEST_SUBTITLES.format(file=_quoted(str(folder)))
    return _CONFIG.format(what=what, name=_quoted(_run_name(folder)), ingest=ingest)


def _corpus() -> None:
    """A corpus of one's own."""


def _run_name(folder: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", folder.resolve().name).lstrip("-_.")
    return name[:64] or "corpus"


def _quoted(text: str) -> str:
    """``text`` as a TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
