"""Flow runs that a Prefect server holds for running though their process is gone: a kill tells nobody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId, FlowRunFilterState, FlowRunFilterStateType
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.settings import get_current_settings
from prefect.states import Crashed

from flows.output import counted
from storage.ledger import Record

ALIVE = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING, StateType.PAUSED]
SKEW = timedelta(seconds=2)
"""Between the clocks of server and flow, at most, where one is to be told from a retry of it."""
AT_ONCE = 100


def bury(crashed: Sequence[Record]) -> str:
    """Marks the flow runs of these attempts as crashed, so that they can be retried and hold no place in a queue.

    A flow run that was begun again after the attempt, by a retry, is left alone. Returns a line that says what was
    done, or why nothing could be.
    """
    api = get_current_settings().api.url
    if not api:
        return "their flow runs: no Prefect server is configured (PREFECT_API_URL), so none was asked"
    last = {item["flow_run"]: item for item in crashed if item.get("flow_run")}
    try:
        with get_client(sync_client=True) as client:
            dead = [run for run in _alive(client, list(last)) if _stopped(run, last[str(run.id)])]
            for run in dead:
                message = "its process is gone (dialoguellm reap); a retry goes on where it stopped"
                client.set_flow_run_state(run.id, Crashed(message=message))
    except httpx.HTTPError as error:
        return f"their flow runs: {api} cannot be reached ({type(error).__name__}), give reap again when it can"
    return f"{counted(len(dead), 'flow run')} marked as crashed at {api}"


def _alive(client: SyncPrefectClient, ids: Sequence[str]) -> Iterator[FlowRun]:
    state = FlowRunFilterState(type=FlowRunFilterStateType(any_=ALIVE))
    for first in range(0, len(ids), AT_ONCE):
        some = ids[first : first + AT_ONCE]
        wanted = FlowRunFilterId(any_=[UUID(name) for name in some])
        yield from client.read_flow_runs(flow_run_filter=FlowRunFilter(id=wanted, state=state), limit=AT_ONCE)


def _stopped(run: FlowRun, attempt: Record) -> bool:
    """Whether the server's state is from before the attempt that crashed: one from after it is of a retry."""
    started = datetime.fromisoformat(attempt["started_at"])
    return run.state is None or run.state.timestamp.astimezone(UTC) <= started + SKEW
