"""What is done when nobody looks: automations of Prefect's server, kept as code and brought up to date by name."""

from __future__ import annotations

from collections.abc import Set
from datetime import timedelta
from typing import Any
from uuid import UUID

from prefect.automations import (
    Automation,
    ChangeFlowRunState,
    DoNothing,
    EventTrigger,
    Posture,
    ResourceSpecification,
    SendNotification,
)
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ObjectNotFound

from flows.announce import FELL
from model.errors import SettingsError

OURS = ResourceSpecification({"prefect.resource.id": "prefect.tag.dialoguellm"})
"""Flow runs of our deployments: these tag them. What is run by hand, with another heartbeat, is left alone."""

HEARTBEAT = "prefect.flow-run.heartbeat"
ENDS = frozenset({f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")})
FAILED = frozenset({"prefect.flow-run.Failed", "prefect.flow-run.Crashed", "prefect.flow-run.TimedOut"})

LINK = "{{ flow_run|ui_url }}"


def automations(zombie_after_s: int, notify: UUID | None) -> list[Automation]:
    """The three: a run failed, a run is a zombie, weighted F1 fell.

    ``zombie_after_s``: seconds without a heartbeat; several times as long as the deployments' 30 s. ``notify``: a
    notification block's id; without one what happened is in the event feed alone.
    """
    return [_failed(notify), _zombie(zombie_after_s), _fell(notify)]


def _failed(notify: UUID | None) -> Automation:
    subject = "dialoguellm: {{ flow_run.name }} {{ flow_run.state.name }}"
    return Automation(
        name="dialoguellm: a run failed",
        description="A flow run failed or crashed: its first error, and the line that takes it up again.",
        trigger=_at_once(FAILED, match_related=OURS),
        actions=_telling(notify, subject, "{{ flow_run.state.message }}\n" + LINK),
    )


def _zombie(after_s: int) -> Automation:
    trigger = EventTrigger(
        after={HEARTBEAT},
        expect={HEARTBEAT, *ENDS},
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=OURS,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=after_s),
    )
    message = f"no heartbeat for {after_s} s: the process is gone; a retry goes on where it stopped"
    return Automation(
        name="dialoguellm: a run is a zombie",
        description=f"A running flow run sent no heartbeat for {after_s} s: it is marked Crashed, and can be retried.",
        trigger=trigger,
        actions=[ChangeFlowRunState(state=StateType.CRASHED, name="Crashed", message=message, force=False)],
    )


def _fell(notify: UUID | None) -> Automation:
    return Automation(
        name="dialoguellm: weighted F1 fell",
        description="A run scored lower than the last comparable one, by more than its parameter f1_drop.",
        trigger=_at_once({FELL}, match=ResourceSpecification({"prefect.resource.id": "dialoguellm.run.*"})),
        actions=_telling(notify, "dialoguellm: weighted F1 fell", "{{ event.payload.said }}\n" + LINK),
    )


def _at_once(expect: Set[str], **matching: ResourceSpecification) -> EventTrigger:
    return EventTrigger(
        expect=set(expect),
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
        **matching,  # type: ignore[arg-type]
    )


def apply(zombie_after_s: int, notify: str | None) -> list[tuple[str, str]]:
    """Creates them, or brings those of the same names up to date; (name, created or updated) of each.

    ``notify`` names a notification block as TYPE/NAME, such as slack-webhook/team. Raises SettingsError where there is
    none of that name.
    """
    done = []
    block = _block(notify) if notify else None
    with get_client(sync_client=True) as client:
        for wanted in automations(zombie_after_s, block):
            known = client.read_automations_by_name(name=wanted.name)
            for old in known[1:]:
                client.delete_automation(old.id)
            if known:
                wanted.id = known[0].id
                wanted.update()
            else:
                wanted.create()
            done.append((wanted.name, "updated" if known else "created"))
    return done


def _telling(notify: UUID | None, subject: str, body: str) -> list[Any]:
    if notify is None:
        return [DoNothing()]
    return [SendNotification(block_document_id=notify, subject=subject, body=body)]


def _block(named: str) -> UUID:
    kind, slash, name = named.partition("/")
    if not slash:
        raise SettingsError(f"--notify {named}: write it as TYPE/NAME, for example slack-webhook/team")
    try:
        with get_client(sync_client=True) as client:
            return client.read_block_document_by_name(name, kind).id
    except ObjectNotFound:
        raise SettingsError(
            f"--notify {named}: Prefect has no such block (`prefect block ls`): make it in the UI under Blocks"
        ) from None
