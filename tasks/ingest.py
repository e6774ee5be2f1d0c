"""ingest: a corpus to utterances. A unit: the transcripts are read whole, then cut into shards of dialogues."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from model.dialogue import Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora import demo, emorynlp, iemocap, iemocap_layout, meld, subtitles, subtitles_layout, table
from tasks.corpora.leaks import VERSION as LEAKS_VERSION
from tasks.corpora.leaks import settle
from tasks.corpora.look_alikes import LookAlikes
from tasks.corpora.transcript import open_plain
from tasks.ingest_settings import IngestSettings
from tasks.stage import Context, Progress, Rows, Stage

TRANSCRIPTS = {
    **{"meld": meld.transcripts, "emorynlp": emorynlp.transcripts},
    **{"iemocap": iemocap_layout.transcripts, "subtitles": subtitles_layout.transcripts},
}
READERS = {"meld": meld.read, "emorynlp": emorynlp.read}


def run(rows: Rows, settings: IngestSettings, context: Context) -> Iterator[Utterance | Rejected]:  # noqa: ARG001
    """Every utterance of the chosen dialogues, split by split and in order of turn; ``turn`` has no gaps.

    Empty lines, repeated ids and whatever the corpus's reader refuses are Rejected; so are leaks into a test split,
    chosen or not, where they are dropped. Raises CorpusError where files are missing or of another form.
    """
    found: list[Utterance | Rejected] = []
    left_out: set[str] = set()
    for one in settings.corpora():
        read = list(_read(one, context.cache, context.progress))
        names = {_dialogue(row.utterance_id) for row in read if isinstance(row, Utterance)}
        left_out |= names - _choose(names, one)
        found += _check(read)
    settled = settle(found, settings.leak_rule())
    yield from (row for row in settled if _dialogue(row.utterance_id) not in left_out)


def identity(settings: IngestSettings) -> Mapping[str, str]:
    """What else decides the utterances: the transcripts' bytes, or the script and the code that draws the demo."""
    rule = {} if settings.leak_rule() == "keep" else {"leaks": str(LEAKS_VERSION)}
    if settings.corpus == "joint":
        every = {one.label_set(): identity(one) for one in settings.corpora()}
        return {f"{name} {what}": value for name, own in every.items() for what, value in own.items()} | rule
    if settings.corpus == "demo":
        from tasks.demo.render import source_digest

        return {"demo": source_digest(), "videos": "yes", **rule}
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
        return {**digests, "videos": hashlib.sha256(repr(named).encode()).hexdigest(), **rule}
    return {**digests, "videos": "yes" if settings.has_videos() else "no", **rule}


def videos_root(settings: IngestSettings, cache: Path, identity: Mapping[str, str]) -> Path | None:
    """The folder that ``Utterance.video`` is relative to, of a single corpus; None for text only.

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


def draw_missing(settings: IngestSettings, context: Context) -> None:
    """Draws the demo's clips where ``context.videos`` is their folder: another machine may have done ingest."""
    from tasks.demo.render import source_digest

    for one in settings.corpora():
        if one.corpus == "demo" and context.videos == _demo_folder(one, context.cache, source_digest()):
            _draw_demo(one, context.cache, context.progress)


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
    """Refuses empty lines, ids that were there before and names that only look like an earlier one; counts the turns
    of what stays."""
    seen: set[str] = set()
    dialogues, speakers = LookAlikes(), LookAlikes()
    turns: dict[str, int] = {}
    for row in rows:
        if isinstance(row, Rejected):
            yield row
        elif row.utterance_id in seen:
            yield _rejected(row, "duplicate_id", "another line before it has this id; give each line its own")
        elif not row.text.strip():
            yield _rejected(row, "empty_text", "the line has no text; correct the transcript")
        elif other := dialogues.other(row.dialogue_id, row.corpus):
            yield _looks_like(row, "look_alike_dialogue", "dialogue_id", row.dialogue_id, other)
        elif other := speakers.other(row.speaker, row.corpus, row.split, row.dialogue_id):
            yield _looks_like(row, "look_alike_speaker", "speaker", row.speaker, other)
        else:
            dialogue = _dialogue(row.utterance_id)
            turn = turns[dialogue] = turns.get(dialogue, -1) + 1
            yield replace(row, turn=turn)
        seen.add(row.utterance_id)


def _rejected(row: Utterance, reason: str, detail: str) -> Rejected:
    return Rejected(row.utterance_id, "ingest", reason, detail)


def _looks_like(row: Utterance, reason: str, column: str, name: str, other: str) -> Rejected:
    """The names by the numbers of their letters, as they look the same otherwise."""
    detail = (
        f"{column} {name[:40]!a} looks like {other[:40]!a} before it and is another; write both in the same letters"
    )
    return _rejected(row, reason, detail)


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
        with open_plain(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CorpusError(
            f"ingest.{setting}: {path} cannot be read ({error.strerror}); correct the {setting}"
        ) from error


STAGE = Stage(
    name="ingest",
    version=3,
    writes="utterances",
    row=Utterance,
    settings=IngestSettings,
    run=run,
    unit=True,
    identity=identity,
)
