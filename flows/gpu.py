"""A card is used by one shard at a time: a concurrency limit of Prefect's, taken where a stage uses a card.

Captioning, training and evaluation would each fit a card alone and not together, whoever started them: two runs, two
workers, or a stage that is run by hand beside a schedule.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.concurrency.sync import concurrency
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound, PrefectHTTPStatusError

from tasks.stage import Stage

DEVICES = ("/dev/nvidia0", "/dev/kfd")


@contextmanager
def one_at_a_time(stage: Stage, limit: str) -> Iterator[None]:
    """Waits for the card, if there is one here and the stage uses it. Without a name of a limit nothing is waited for.

    Strict: where the server does not know the limit, or does not hear from this process any more, the shard fails.
    """
    if not limit or not stage.gpu or not has_card():
        yield
        return
    _make(limit)
    with concurrency(limit, occupy=1, strict=True):
        yield


def has_card() -> bool:
    return any(Path(device).exists() for device in DEVICES)


def _make(limit: str) -> None:
    """A limit of one, unless there is one of that name already, whatever it allows."""
    wanted = GlobalConcurrencyLimitCreate(name=limit, limit=1)
    with get_client(sync_client=True) as client:
        for wait_s in (0.5, 1.0, 2.0, 4.0, 0.0):
            try:
                client.read_global_concurrency_limit_by_name(limit)
                return
            except ObjectNotFound:
                pass
            try:
                client.create_global_concurrency_limit(wanted)
                return
            except (ObjectAlreadyExists, PrefectHTTPStatusError):  # another is making it, which the server may call 500
                if not wait_s:
                    raise
                time.sleep(wait_s)
