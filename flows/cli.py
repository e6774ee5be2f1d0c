"""The command line: `dialoguellm --help`.

Exit codes: 0 ok, 1 failed, 2 usage or configuration, 3 finished with more rejects than a stage's limit,
or `check` or `fsck` found an error, or `run` did not begin because of one.
"""

from __future__ import annotations

import errno
import os
import sys

import typer

from flows import (
    ablation_command,
    automation_commands,
    check_command,
    compare_command,
    corpus_commands,
    counterfactual_command,
    explain_command,
    export_command,
    frames_command,
    fsck_command,
    gallery_command,
    logs_command,
    read_commands,
    run_commands,
    seceu_command,
    sql_command,
)
from flows.output import printable_lines
from model.errors import DialogueError, RunFailed, SettingsError

app = typer.Typer(
    name="dialoguellm",
    help="Emotion recognition in conversation: raw videos in, a LoRA-tuned language model and SQL over every step out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
run_commands.register(app)
check_command.register(app)
read_commands.register(app)
sql_command.register(app)
compare_command.register(app)
counterfactual_command.register(app)
explain_command.register(app)
seceu_command.register(app)
export_command.register(app)
frames_command.register(app)
fsck_command.register(app)
ablation_command.register(app)
gallery_command.register(app)
logs_command.register(app)
corpus_commands.register(app)
automation_commands.register(app)

INTERRUPTED = 130
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


def main() -> None:
    """Runs the command line; every known error is one message and an exit code."""
    try:
        app()
    except DialogueError as error:
        _stop(str(error), _exit_code(error))
    except (KeyboardInterrupt, SystemExit) as ended:
        if isinstance(ended, SystemExit) and ended.code != INTERRUPTED:  # typer turns the former into the latter
            raise
        _stop("interrupted: the same command goes on where it stopped", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        hint = "free some space" if error.errno in FULL_DISK else "check the path and its permissions"
        _stop(f"{error}: {hint}, then give the same command again; what is finished is kept", 1)


def _exit_code(error: DialogueError) -> int:
    if isinstance(error, RunFailed):
        return error.exit_code
    return 2 if isinstance(error, SettingsError) else 1


def _stop(message: str, code: int) -> None:
    typer.echo(f"dialoguellm: {printable_lines(message)}", err=True)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
