"""Commands that set up Prefect's server: automations apply."""

from __future__ import annotations

from typing import Annotated

import typer

from model.errors import SettingsError


def register(app: typer.Typer) -> None:
    """Adds these commands to the command line."""
    group = typer.Typer(help="What Prefect's server does when a run fails, dies or scores lower.", no_args_is_help=True)
    group.command(epilog="Example: dialoguellm automations apply --notify slack-webhook/team")(apply)
    group.callback()(lambda: None)
    app.add_typer(group, name="automations")


def apply(
    notify: Annotated[
        str | None, typer.Option(help="A notification block of Prefect's as TYPE/NAME. None: events alone.")
    ] = None,
    zombie_after: Annotated[
        int, typer.Option(min=90, max=86_400, help="Seconds without a heartbeat after which a run is dead.")
    ] = 120,
) -> None:
    """Create the automations on Prefect's server, or bring them up to date; the same command twice changes nothing."""
    from flows.run_commands import quiet_prefect

    quiet_prefect()
    from prefect.settings import PREFECT_API_URL

    if not PREFECT_API_URL.value():
        raise SettingsError(
            "automations live on a server that goes on running: start one with `prefect server start` and set "
            "PREFECT_API_URL to its address, for example with `prefect config set`"
        )
    from flows import automations

    for name, what in automations.apply(zombie_after, notify):
        typer.echo(f"{what}: {name}")
