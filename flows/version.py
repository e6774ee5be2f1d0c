"""Which program a deployment is of: a step of `prefect deploy`, named in prefect.yaml."""

from __future__ import annotations

from importlib.metadata import version

from flows.settings import git_commit


def stated() -> dict[str, str]:
    """The package's version, with the commit where the program is a checkout: ``0.1.0+8d6230a``."""
    commit = git_commit()
    return {"version": version("dialoguellm") + (f"+{commit[:7]}" if commit else "")}
