"""The command that puts the test SECEU to a model. It imports neither prefect nor torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from flows.output import Format, counted, emit, reader
from flows.progress import counting
from model import weights
from model.errors import SettingsError
from storage.layout import open_workspace
from storage.ledger import Record
from tasks.plan import load

if TYPE_CHECKING:
    from tasks.emotional_intelligence import Questions

COLUMNS = ("system", "answered", "not 10", "distance", "EQ", "percentile", "pattern r", "nearer than 2.5 each")
NOTE = """not 10: answers whose points did not add up to 10 and were scaled. distance: over the answered items the mean
Euclidean distance to the mean ratings of people, lower is better, with its 95 % interval over items. EQ, and the
percentile of people if they are normally distributed: given where every item was answered. pattern r: correlation of
the items' distances with people's own. Last: by how much the distance is below that of 2.5 points for every emotion, on
the same items. The controls read no story. uniform: 2.5 each; in_order: 4, 3, 2, 1 in the order of the options;
best_constant: the same for every item, fitted on the right answers; random: any ratings. What does not pass them shows
no understanding.
"""
ADAPTER = "An adapter that was tuned to answer with a label is not expected to answer this test at all.\n"


def register(app: typer.Typer) -> None:
    """Adds this command to the command line."""
    app.command(epilog="Example: dialoguellm seceu items.json --model smollm2-135m-instruct")(seceu)


@reader
def seceu(
    file: Annotated[Path, typer.Argument(help="The items, standard scores and norms, as JSON (docs/evaluation.md).")],
    model: Annotated[str, typer.Option(help="A base model; with --server its name there.")] = weights.DEFAULT,
    run: Annotated[str | None, typer.Option(help="A run instead: its tuned model, and its base.")] = None,
    server: Annotated[str | None, typer.Option(help="Address of an OpenAI-compatible API: https://…/v1.")] = None,
    server_key_env: Annotated[str, typer.Option(help="The variable that holds its key.")] = "OPENAI_API_KEY",
    server_per_minute: Annotated[int | None, typer.Option(min=1, help="Requests to it in a minute.")] = None,
    server_requests: Annotated[int, typer.Option(min=1, max=256, help="Requests at once.")] = 8,
    server_timeout_s: Annotated[float, typer.Option(min=0.1, max=3600, help="Seconds for one answer.")] = 120.0,
    examples: Annotated[int, typer.Option(min=0, max=2, help="Worked examples before each story.")] = 2,
    shuffle: Annotated[int | None, typer.Option(help="Seed: the options in another order, item by item.")] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, max=4096, help="The longest answer, in tokens.")] = 128,
    batch_size: Annotated[int, typer.Option(min=1, help="Stories at a time.")] = 8,
    workspace: Annotated[Path, typer.Option("--workspace", "-w", help="Folder of the workspace.")] = Path("workspace"),
    *,
    force: Annotated[bool, typer.Option("--force", help="Ask again what was asked before.")] = False,
    form: Format,
) -> None:
    """Put the emotional-understanding test SECEU to a model, beside controls that read nothing; the answers are kept.

    An answer without a rating for each emotion is NULL and counted; how it came is in the table seceu_answers.
    """
    from tasks.emotional_intelligence import Options, Questions
    from tasks.seceu_test import load as load_test

    if run and server:
        raise SettingsError("--run and --server exclude each other: ask one after the other")
    test = load_test(file)
    layout = open_workspace(workspace, create=run is None)
    options = Options(examples, shuffle, max_new_tokens, batch_size)
    with counting() as progress:
        asked = Questions(layout, test, options, progress, force=force)
        if run:
            rows = asked.of_run(load(layout, run))
        elif server:
            named = {"server": server, "server_key_env": server_key_env, "server_per_minute": server_per_minute}
            limits = {"server_requests": server_requests, "server_timeout_s": server_timeout_s}
            rows = _of_server(asked, {"model": model, **named, **limits})
        else:
            rows = asked.of_model(model)
        rows += asked.controls()
        asked.publish()
    _show(rows, form, adapter=run is not None)


def _of_server(asked: Questions, values: Record) -> list[Record]:
    from tasks.emotional_intelligence import SeceuServer

    if values["model"] == weights.DEFAULT:
        raise SettingsError("with --server set --model to the server's name of the model")
    try:
        return asked.of_server(SeceuServer(**values))
    except ValidationError as error:
        faults = [f"--{str(one['loc'][0]).replace('_', '-')} {one['msg']}" for one in error.errors()]
        raise SettingsError("; ".join(faults)) from None


def _show(rows: Sequence[Record], form: Format, *, adapter: bool) -> None:
    if form is not Format.table:
        names = list(rows[-1])  # a control's: rows that were kept have theirs in another order
        return emit(names, [[row[name] for name in names] for row in rows], form)
    emit(COLUMNS, [_written(row) for row in rows], form, title=f"SECEU, {counted(rows[0]['items'], 'item')}")
    faults = sum(row["faults"] for row in rows)
    failed = (
        f"{counted(faults, 'item')} got no answer: look at seceu_answers.fault, --force asks again\n" if faults else ""
    )
    return typer.echo(NOTE + ADAPTER * adapter + failed)


def _written(row: Record) -> list[Any]:
    gain = "" if row["gain"] is None else f"{row['gain']:+.2f}"
    return [
        *(row["system"], f"{row['answered']} of {row['items']}", row["rescaled"]),
        *(f"{_number(row['distance'])}{_bounds(row['low'], row['high'])}",),
        *(_number(row["eq"], 0), _number(row["percentile"], 0), _number(row["pattern"])),
        gain + _bounds(row["gain_low"], row["gain_high"], "+"),
    ]


def _number(value: float | None, places: int = 2) -> str:
    return "" if value is None else f"{value:.{places}f}"


def _bounds(low: float | None, high: float | None, sign: str = "") -> str:
    return "" if low is None or high is None else f" [{low:{sign}.2f}, {high:{sign}.2f}]"
