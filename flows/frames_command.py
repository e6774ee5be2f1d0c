"""The command that shows keyframes. It imports neither prefect nor torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.output import Format, emit, reader
from model.atomic import replacing
from model.dialogue import Keyframe
from model.errors import SettingsError
from storage.layout import open_workspace
from tasks import contact_sheet
from tasks.frames import find, sample
from tasks.plan import load

COLUMNS = ("utterance_id", "rank", "time_s", "score", "sharpness", "novelty", "faces", "suspect", "note")


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm frames demo demo/train/0/0 --out sheet.png")(frames)


@reader
def frames(
    run: Annotated[str, typer.Argument(help="A run's id, or a configuration's name for its last run.")],
    out: Annotated[Path, typer.Option(help="PNG file to make; it must not be there.")],
    utterances: Annotated[list[str] | None, typer.Argument(help="Ids of utterances: demo/train/0/0.")] = None,
    number: Annotated[
        int | None, typer.Option("--sample", min=1, max=100, help="Draw this many lines of train and dev instead.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides which lines are drawn.")] = 0,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
    *,
    form: Format,
) -> None:
    """Draw the keyframes of utterances on a sheet: when each was, its score, what detectors found, whether suspect."""
    if bool(utterances) == bool(number):
        raise SettingsError("name utterances, or let lines be drawn with --sample: one of the two")
    target = _free(out)
    known = load(open_workspace(workspace), run)
    shown = find(known, utterances or sample(known, number or 0, seed))
    sheet = contact_sheet.draw(shown)
    with replacing(target) as temporary:
        sheet.save(temporary, "PNG")
    rows = []
    for one in shown:
        name = one.utterance.utterance_id
        rows += [(name, *_evidence(frame), frame.method) for frame in one.frames] or [
            (name, *[None] * 7, one.reason or "the line has no video")
        ]
    emit(COLUMNS, rows, form, title=f"{known.run_id}: {target}")


def _evidence(frame: Keyframe) -> list[object]:
    score = None if frame.score is None else round(frame.score, 3)
    numbers = [frame.rank, round(frame.time_s, 2), score, round(frame.sharpness, 1), round(frame.novelty, 1)]
    return [*numbers, frame.faces, frame.suspect]


def _free(out: Path) -> Path:
    """The file to make, checked before any row is read."""
    try:
        target = out.expanduser().resolve()
    except (RuntimeError, ValueError) as error:  # no such home, a loop of links, a zero byte
        raise SettingsError(f"--out: {str(out)!r} cannot be a file ({error}): name another") from error
    if target.suffix.lower() != ".png":
        raise SettingsError(f"--out: {target} does not end in .png: the sheet is a PNG picture")
    if target.exists():
        raise SettingsError(f"--out: {target} is there already: name another")
    return target
