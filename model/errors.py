"""Every error that a person can meet.

DialogueError                what went wrong, with which file or id, and what to do next
├── SettingsError            a configuration that cannot be used; lists every fault at once
├── CorpusError              a corpus that is not what its loader expects
├── VideoError               one video file that cannot be used (becomes a row of rejects)
├── WeightsError             model weights that are missing, damaged or not allowed
├── ServerError              a model server that is out of reach, refuses the key or lacks the model
├── TrainingError            a training run that cannot start or go on
├── RunFailed                a run that ended with failed shards, or with more rejects than a stage allows, or that
│                            did not begin because its input would not get it through
└── WorkspaceError           a workspace that cannot be used
    ├── WorkspaceLocked      another process runs the same configuration
    ├── WorkspaceTooNew      written by a newer version of this program
    └── UnknownRun           no run of that name
"""

from __future__ import annotations


class DialogueError(Exception):
    """Base of all errors that are reported in one line, without a traceback."""


class SettingsError(DialogueError):
    pass


class CorpusError(DialogueError):
    pass


class VideoError(DialogueError):
    """``reason`` is the fixed word that goes into ``rejects.reason``; the message is its ``detail``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class WeightsError(DialogueError):
    pass


class ServerError(DialogueError):
    pass


class TrainingError(DialogueError):
    pass


class RunFailed(DialogueError):
    """``exit_code`` is 1, or 3 where a stage rejected more utterances than its limit or the input forbids the run."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class WorkspaceError(DialogueError):
    pass


class WorkspaceLocked(WorkspaceError):
    pass


class WorkspaceTooNew(WorkspaceError):
    pass


class UnknownRun(WorkspaceError):
    pass
