"""Starts what works on shards, as ``[run]`` says: threads, processes, Dask or Ray, each by its own Prefect task runner.

Whatever it is, a shard is the same Prefect task, reads and writes the same files, and is retried and recorded the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner, ThreadPoolTaskRunner

from flows.run_settings import RunSettings
from model.errors import SettingsError
from tasks.plan import Run
from tasks.stage import Stage

log = logging.getLogger(__name__)


def settings_of(run: Run) -> RunSettings:
    """Where the shards of a run are worked on, as its record says."""
    return RunSettings.model_validate(run.record.get("runner") or {})


@contextmanager
def engaged(run: Run) -> Iterator[None]:
    """Inside, what the flow submits goes to the run's runner, which is started before and ended after.

    Raises SettingsError where its package is missing, or where it could not reach Prefect's server.
    """
    context, settings = FlowRunContext.get(), settings_of(run)
    if context is None:
        raise RuntimeError("a runner is engaged inside a flow")
    with ExitStack() as stack:
        if settings.runner != "threads":
            stack.enter_context(_reachable_server(settings))
        runner = stack.enter_context(_task_runner(settings))
        stack.enter_context(context.model_copy(update={"task_runner": runner}))
        yield


def shares_memory(run: Run) -> bool:
    """Whether shards are worked on in this process, and may be handed what cannot be sent to another."""
    return settings_of(run).runner == "threads"


def ahead(run: Run) -> int:
    """Shards handed over before the first of them is done: as many lie in memory, however many there are."""
    return max(64, 2 * settings_of(run).workers)


def placing(run: Run, stage: Stage) -> AbstractContextManager[Any]:
    """Inside, what is submitted asks the cluster for what a shard of the stage needs, as far as it has that at all."""
    settings = settings_of(run)
    hint = settings.hint(stage.name)
    if settings.runner == "ray":
        import ray
        from prefect_ray.context import remote_options

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        most = {name: max((node.get(name, 0.0) for node in nodes), default=0.0) for name in ("CPU", "GPU", "memory")}
        wanted = {"num_cpus": min(hint.cpus, most["CPU"]), "memory": min(hint.memory_mb << 20, most["memory"])}
        asked: AbstractContextManager[Any] = remote_options(
            **wanted, num_gpus=min(1.0, most["GPU"]) if stage.gpu else 0
        )
        return asked
    if settings.runner == "dask" and stage.gpu:
        import dask
        from distributed import get_client as cluster

        context = FlowRunContext.get()
        client = context.task_runner.client if context else cluster()  # type: ignore[attr-defined]
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if any("GPU" in worker["resources"] for worker in workers):
            annotated: AbstractContextManager[Any] = dask.annotate(resources={"GPU": 1})
            return annotated
    return nullcontext()


def lost(future: PrefectFuture[Any]) -> str | None:
    """Why a shard will have no state any more: its worker died again and again; None as long as it may have one."""
    inner: Any = getattr(future, "wrapped_future", None)
    if getattr(inner, "status", None) in ("error", "lost", "cancelled"):
        return f"its worker was lost ({inner.exception()!r})" if inner.status == "error" else "it was cancelled"
    return None


def give_up(futures: Iterable[PrefectFuture[Any]]) -> None:
    """Shards that are not begun yet are not begun any more."""
    for future in futures:
        cancel = getattr(getattr(future, "wrapped_future", None), "cancel", None)
        if cancel:
            cancel()


def _task_runner(settings: RunSettings) -> Any:
    if settings.runner == "threads":
        return ThreadPoolTaskRunner(max_workers=settings.workers)
    if settings.runner == "processes":
        return ProcessPoolTaskRunner(max_workers=settings.workers)
    try:
        return _dask(settings) if settings.runner == "dask" else _ray(settings)
    except ImportError as error:
        raise SettingsError(
            f"run.runner = \"{settings.runner}\" needs {error.name}: pip install 'dialoguellm[{settings.runner}]'"
        ) from error


def _dask(settings: RunSettings) -> Any:
    import dask
    from prefect_dask import DaskTaskRunner

    if settings.address:
        return DaskTaskRunner(address=settings.address)
    dask.config.set({"distributed.worker.daemon": False})  # a stage may start processes of its own
    return DaskTaskRunner(
        cluster_kwargs={
            "n_workers": settings.workers,
            "threads_per_worker": 1,
            "memory_limit": 0,  # stages keep their own limits; Dask would pause or end a worker in the middle
            "dashboard_address": None,
            "processes": True,
        }
    )


def _ray(settings: RunSettings) -> Any:
    import ray  # noqa: F401
    from prefect_ray import RayTaskRunner

    if settings.address:
        return RayTaskRunner(address=settings.address, init_kwargs={"log_to_driver": False})
    local = {"num_cpus": settings.workers, "include_dashboard": False, "log_to_driver": False}
    return RayTaskRunner(init_kwargs=local)


def _reachable_server(settings: RunSettings) -> AbstractContextManager[Any]:
    """Workers in other processes use the server that this one uses, also where it is a temporary one."""
    if PREFECT_API_URL.value():
        return nullcontext()
    if settings.address:
        raise SettingsError(
            f"run.address = {settings.address!r}: the workers there need a server of Prefect's that they can reach: "
            "start one with `prefect server start --host 0.0.0.0` and set PREFECT_API_URL to its address"
        )
    with get_client(sync_client=True) as client:
        return temporary_settings({PREFECT_API_URL: str(client.api_url).rstrip("/")})
