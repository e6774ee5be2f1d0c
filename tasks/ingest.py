"""ingest: a corpus to utterances. A unit: the transcripts are read whole, then cut into shards of dialogues."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora import demo, emorynlp, iemocap, iemocap_layout, meld, subtitles, subtitles_layout, table
from tasks.stage import Context, Progress, Rows, Stage, StageSettings

TRANSCRIPTS = {
    **{"meld": meld.transcripts, "emorynlp": emorynlp.transcripts},
    **{"iemocap": iemocap_layout.transcripts, "subtitles": subtitles_layout.transcripts},
}
READERS = {"meld": meld.read, "emorynlp": emorynlp.read}


Column = Literal["split", "dialogue_id", "turn", "speaker", "text", "emotion", "sentiment", "video", "start_s", "end_s"]
CHOICES = frozenset({"file", "labels", "columns"})
"""Settings that only some corpora have."""
CHOICES_OF = {"table": CHOICES, **dict.fromkeys(("iemocap", "subtitles"), frozenset({"labels"}))}


class IngestSettings(StageSettings):
    """Which corpus, and how much of it."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"folder", "videos", "file"})

    corpus: Literal["demo", "meld", "emorynlp", "iemocap", "table", "subtitles"] = "demo"
    """The corpus. "demo" is drawn on the spot, "table" read from ``file``, the others from ``folder``."""

    folder: Path | None = None
    """Where the corpus's transcripts lie (of IEMOCAP the folder IEMOCAP_full_release, of subtitles the one that holds
    train/, dev/ and test/). Moving them changes nothing; other bytes in them make a new result."""

    videos: Path | None = None
    """Where MELD's video folders lie (train_splits, dev_splits_complete, output_repeated_splits_test), or IEMOCAP's
    (Session1 to Session5: the same as ``folder``), or the files that a table names, or those of the subtitles' names
    (in train/, dev/ and test/; may be ``folder``); text only without it."""

    file: Path | None = None
    """The table of a corpus of one's own: CSV, TSV, JSONL or Parquet. Moving it changes nothing; other bytes do."""

    labels: Literal["meld", "emorynlp", "iemocap", "iemocap4", "iemocap8"] | None = None
    """The label set that a table's or subtitles' emotions are from, or IEMOCAP's: "iemocap4" (excited counts as
    happy), "iemocap" (six, if not set) or "iemocap8". A line with another label is rejected."""

    columns: dict[Column, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """The table's own name of a column, where it is another than ours: ``{text = "Utterance"}``."""

    dialogues: dict[Literal["train", "dev", "test"], Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """How many dialogues of a split to use, drawn by ``seed``; all of them where a split is not named. A larger
    number keeps the dialogues of a smaller one."""

    seed: int = 0
    """Draws the subset of dialogues, and the demo's pictures and voices."""

    shard_utterances: int = Field(default=128, ge=1)
    """Most utterances in a shard, where dialogues allow it."""

    def has_videos(self) -> bool:
        """Whether this corpus comes with video files; without them keyframes and captions have nothing to do."""
        return self.corpus == "demo" or self.videos is not None

    def label_set(self) -> str:
        """The name that the utterances' ``corpus`` and ids have, which says what labels there are."""
        if self.corpus in ("table", "subtitles"):
            return f"{self.corpus}-{self.labels}"
        return self.labels or self.corpus

    def key_fields(self) -> dict[str, Any]:
        """As of every stage, but what a corpus has no use for stays out of its key."""
        fields = super().key_fields()
        if self.corpus == "iemocap":
            fields["labels"] = self.label_set()
        return {name: value for name, value in fields.items() if name not in self._unused()}

    def _unused(self) -> frozenset[str]:
        return CHOICES - CHOICES_OF.get(self.corpus, frozenset())

    @model_validator(mode="after")
    def _choices_fit_the_corpus(self) -> Self:
        if given := sorted(name for name in self._unused() if getattr(self, name)):
            raise ValueError(f'corpus "{self.corpus}" has no {", ".join(given)}: leave it out')
        if self.corpus == "iemocap" and not self.label_set().startswith("iemocap"):
            raise ValueError('labels: corpus "iemocap" has "iemocap4", "iemocap" and "iemocap8"')
        return self

    @model_validator(mode="after")
    def _table_has_its_settings(self) -> Self:
        if self.corpus != "table":
            return self
        if self.file is None or self.labels is None:
            raise ValueError('corpus "table" needs file, and labels: "meld", "emorynlp" or "iemocap"')
        if self.folder:
            raise ValueError('corpus "table" is one file: leave out folder')
        if len({self.columns.get(name, name) for name in get_args(Column)}) < len(get_args(Column)):
            raise ValueError("columns gives two of our columns the same name")
        return self

    @model_validator(mode="after")
    def _folders_fit_the_corpus(self) -> Self:
        if self.corpus == "demo" and (self.folder or self.videos):
            raise ValueError('corpus "demo" is drawn on the spot: leave out folder and videos')
        if self.corpus not in ("demo", "table") and self.folder is None:
            raise ValueError(f'corpus "{self.corpus}" needs folder: where its transcripts lie')
        if self.corpus == "emorynlp" and self.videos:
            raise ValueError('corpus "emorynlp" has no videos: leave out videos')
        if self.corpus == "subtitles" and self.labels is None:
            raise ValueError('corpus "subtitles" needs labels: "meld", "emorynlp" or "iemocap"')
        return self


def run(rows: Rows, settings: IngestSettings, context: Context) -> Iterator[Utterance | Rejected]:  # noqa: ARG001
    """Every utterance of the chosen dialogues, split by split and in order of turn; ``turn`` has no gaps.

    Empty lines, repeated ids and whatever the corpus's reader refuses are Rejected. Raises CorpusError where
    files are missing or of another form.
    """
    found = list(_read(settings, context.cache, context.progress))
    names = {_dialogue(row.utterance_id) for row in found if isinstance(row, Utterance)}
    left_out = names - _choose(names, settings)
    yield from _check(row for row in found if _dialogue(row.utterance_id) not in left_out)


def identity(settings: IngestSettings) -> Mapping[str, str]:
    """What else decides the utterances: the transcripts' bytes, or the script and the code that draws the demo."""
    if settings.corpus == "demo":
        from tasks.demo.render import source_digest

        return {"demo": source_digest(), "videos": "yes"}
    if settings.corpus == "table":
        digests = {f"table{_file(settings).suffix.lower()}": _sha256(_file(settings), "file")}
    else:
        folder = _folder(settings)
        paths = TRANSCRIPTS[settings.corpus](folder)
        digests = {path.relative_to(folder).as_posix(): _sha256(path, "folder") for path in paths.values()}
    if settings.corpus in ("iemocap", "subtitles"):  # hundreds of files
        digests = {"transcripts": hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()}
    if settings.corpus == "subtitles" and settings.videos:  # which video a dialogue has stands in no transcript
        named = [found.video for found in subtitles_layout.dialogues(_folder(settings), settings.videos.expanduser())]
        return {**digests, "videos": hashlib.sha256(repr(named).encode()).hexdigest()}
    return {**digests, "videos": "yes" if settings.has_videos() else "no"}


def videos_root(settings: IngestSettings, cache: Path, identity: Mapping[str, str]) -> Path | None:
    """The folder that ``Utterance.video`` is relative to; None for text only.

    ``identity`` is the one that the run was recorded with: another version of the program draws another folder.
    """
    if settings.corpus == "demo":
        return _demo_folder(settings, cache, identity["demo"])
    return settings.videos.expanduser() if settings.videos else None


def _read(settings: IngestSettings, cache: Path, progress: Progress) -> Iterable[Utterance | Rejected]:
    if settings.corpus == "demo":
        return _draw_demo(settings, cache, progress)
    videos = videos_root(settings, cache, {})
    if videos and not videos.is_dir():
        raise CorpusError(f"ingest.videos: {videos} is not a folder; correct it, or leave it out for text only")
    if settings.corpus == "iemocap":
        return iemocap.read(_folder(settings), videos, settings.label_set())
    if settings.corpus == "subtitles":
        return subtitles.read(_folder(settings), settings.labels or "", videos)
    if settings.corpus == "table":
        columns = {str(ours): name for ours, name in settings.columns.items()}
        return table.read(_file(settings), settings.labels or "", videos, columns)
    return READERS[settings.corpus](_folder(settings), videos)


def _draw_demo(settings: IngestSettings, cache: Path, progress: Progress) -> Iterable[Utterance | Rejected]:
    from tasks.demo.render import render_corpus, source_digest
    from tasks.demo.script import load_script

    names = {f"demo/{dialogue.split}/{dialogue.dialogue_id}" for dialogue in load_script()}
    chosen = [name.removeprefix("demo/") for name in _choose(names, settings)]
    folder = _demo_folder(settings, cache, source_digest())
    render_corpus(
        folder,
        seed=settings.seed,
        dialogues=chosen,
        progress=lambda done, total: progress(done, total, "clips drawn"),
    )
    return demo.read(folder)


def _choose(names: Iterable[str], settings: IngestSettings) -> set[str]:
    """The dialogues to use of those named ``corpus/split/dialogue``: the first n of each split in a seeded order."""
    ordered: dict[str, list[str]] = {}
    for name in sorted(names, key=lambda name: hashlib.sha256(f"{settings.seed}/{name}".encode()).digest()):
        ordered.setdefault(name.split("/")[1], []).append(name)
    limits = {str(split): limit for split, limit in settings.dialogues.items()}
    return {name for split, listed in ordered.items() for name in listed[: limits.get(split)]}


def _check(rows: Iterable[Utterance | Rejected]) -> Iterator[Utterance | Rejected]:
    """Refuses empty lines and ids that were there before, and counts the turns of what stays."""
    seen: set[str] = set()
    turns: dict[str, int] = {}
    for row in rows:
        if isinstance(row, Rejected):
            yield row
        elif row.utterance_id in seen:
            yield _rejected(row, "duplicate_id", "another line before it has this id; give each line its own")
        elif not row.text.strip():
            yield _rejected(row, "empty_text", "the line has no text; correct the transcript")
        else:
            dialogue = _dialogue(row.utterance_id)
            turn = turns[dialogue] = turns.get(dialogue, -1) + 1
            yield replace(row, turn=turn)
        seen.add(row.utterance_id)


def _rejected(row: Utterance, reason: str, detail: str) -> Rejected:
    return Rejected(row.utterance_id, "ingest", reason, detail)


def _dialogue(utterance_id: str) -> str:
    """``corpus/split/dialogue``: dialogue ids alone repeat from split to split."""
    return utterance_id.rsplit("/", 1)[0]


def _folder(settings: IngestSettings) -> Path:
    return (settings.folder or Path()).expanduser()


def _demo_folder(settings: IngestSettings, cache: Path, source: str) -> Path:
    key = f"{source} {settings.seed} {sorted(settings.dialogues.items())}"
    return cache / f"demo-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def _file(settings: IngestSettings) -> Path:
    return (settings.file or Path()).expanduser()


def _sha256(path: Path, setting: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(
            f"ingest.{setting}: {path} cannot be read ({error.strerror}); correct the {setting}"
        ) from error


STAGE = Stage(
    name="ingest",
    version=2,
    writes="utterances",
    row=Utterance,
    settings=IngestSettings,
    run=run,
    unit=True,
    identity=identity,
)
