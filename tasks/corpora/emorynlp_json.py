"""EmoryNLP as its authors release it: one JSON file a split, season, episodes, scenes, utterances.

    {"episodes": [{"episode_id": "s01_e15", "scenes": [{"scene_id": "s01_e15_c01", "utterances": [
        {"utterance_id": "s01_e15_c01_u001", "speakers": ["Mara Stone"], "transcript": "Coffee.", "emotion": "Neutral"}
    ]}]}]}

It holds a third more lines than the CSV files (12,606 and 9,489): those are a part of it, with the same ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from model.dialogue import SPLITS, Rejected, Utterance
from model.errors import CorpusError
from tasks.corpora import strict_json
from tasks.corpora.transcript import BadRow, clean, decode, emotion, in_order, read_bytes

CORPUS = "emorynlp"
NAMES = {"train": "trn", "dev": "dev", "test": "tst"}
MAX_BYTES, MAX_TEXT, MAX_SPEAKERS, MAX_NAME = 1 << 26, 10_000, 20, 1000
EVERYBODY = "#ALL#"
_ID = re.compile(r"s(\d{1,3})_e(\d{1,3})_c(\d{1,3})_u(\d{1,6})", re.ASCII)


def transcripts(folder: Path) -> dict[str, Path]:
    """Split to its transcript file."""
    return {split: folder / f"emotion-detection-{NAMES[split]}.json" for split in SPLITS}


def read(folder: Path) -> Iterator[Utterance | Rejected]:
    """As emorynlp.read, of the JSON files. An utterance that is not of the form is Rejected, by its own id if it has
    one; so is an episode or a scene. Raises CorpusError where a file cannot be read or is not of this form."""
    for split, path in transcripts(folder).items():
        kept: list[tuple[tuple[int, ...], Utterance]] = []
        rejects: list[Rejected] = []
        for number, (place, value) in enumerate(_utterances(_episodes(path)), 1):
            try:
                kept.append(_parse(split, place, value))
            except BadRow as fault:
                identity = fault.utterance_id or f"{CORPUS}/{split}/row/{number}"
                rejects.append(Rejected(identity, "ingest", fault.reason, f"{path.name}, {place}: {fault}"))
        yield from in_order(kept)
        yield from rejects


def speakers(names: object) -> str | None:
    """``["Monica Geller", "#ALL#"]`` to ``"Monica Geller, All"``; None where it is no list of one to twenty names."""
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_SPEAKERS:
        return None
    if not all(isinstance(name, str) and len(name) <= MAX_NAME and clean(name) for name in names):
        return None
    return ", ".join("All" if name == EVERYBODY else clean(name) for name in names)


def _episodes(path: Path) -> list[Any]:
    again = "download it again"
    try:
        data = read_bytes(path, MAX_BYTES)
        if len(data) > MAX_BYTES:
            raise CorpusError(f"{path} is larger than {MAX_BYTES >> 20} MiB; {again}")
        value = strict_json.loads(decode(data))
    except OSError as error:
        hint = "set ingest.folder to where the JSON files lie"
        raise CorpusError(f"{path} cannot be read ({error.strerror}); {hint}") from error
    except ValueError as error:
        raise CorpusError(f"{path} is no readable JSON ({str(error)[:100]}); {again}") from error
    episodes = value.get("episodes") if isinstance(value, dict) else None
    if not isinstance(episodes, list) or not episodes:
        raise CorpusError(f"{path} has no list of episodes; {again}")
    return episodes


def _utterances(episodes: list[Any]) -> Iterator[tuple[str, object]]:
    """Each utterance and where it stands; in the place of an episode or scene that is none, that itself."""
    for e, episode in enumerate(episodes, 1):
        scenes = episode.get("scenes") if isinstance(episode, dict) else None
        if not isinstance(scenes, list):
            yield f"episode {e}", None
            continue
        for c, scene in enumerate(scenes, 1):
            spoken = scene.get("utterances") if isinstance(scene, dict) else None
            if not isinstance(spoken, list):
                yield f"episode {e}, scene {c}", None
                continue
            for u, utterance in enumerate(spoken, 1):
                yield f"episode {e}, scene {c}, utterance {u}", utterance


def _parse(split: str, place: str, value: object) -> tuple[tuple[int, ...], Utterance]:
    if not isinstance(value, dict):
        raise BadRow("bad_row", f"{place.rpartition(', ')[2].partition(' ')[0]} is not of the published form")
    found = _ID.fullmatch(value["utterance_id"]) if isinstance(value.get("utterance_id"), str) else None
    if not found:
        raise BadRow("bad_id", f"utterance_id is {str(value.get('utterance_id'))[:40]!r}, not like s01_e15_c01_u001")
    season, episode, scene, source = map(int, found.groups())
    dialogue = f"s{season:02d}_e{episode:02d}_c{scene:02d}"
    identity = f"{CORPUS}/{split}/{dialogue}/{source}"
    text, label, speaker = value.get("transcript"), value.get("emotion"), speakers(value.get("speakers"))
    if not isinstance(text, str) or not isinstance(label, str):
        raise BadRow("bad_row", "transcript or emotion is no text", identity)
    if len(text) > MAX_TEXT:
        raise BadRow("text_too_long", f"transcript has {len(text)} characters, more than {MAX_TEXT}", identity)
    if speaker is None:
        raise BadRow("bad_speaker", f"speakers is {str(value.get('speakers'))[:60]!r}, not a list of names", identity)
    utterance = Utterance(
        utterance_id=identity,
        corpus=CORPUS,
        split=split,
        dialogue_id=dialogue,
        turn=0,
        source_utterance_id=str(source),
        speaker=speaker,
        text=clean(text),
        emotion=emotion({"emotion": clean(label)}, "emotion", CORPUS, identity),
    )
    return (season, episode, scene, source), utterance
