"""A server, a process worker and the pipeline's deployment, each of which can be killed and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from crashes.cycle import Soak
from crashes.setting import environment, make_workspace, spoil, start_server

ROOT = Path(__file__).parents[2]
POOL = "outages"


class Site:
    """``workspaces`` holds the folder of each flow run by its id; ``busy`` counts the server's answers 503."""

    def __init__(self, soak: Soak) -> None:
        self.soak, self.home = soak, soak.folder / "site"
        self.home.mkdir(exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.api = f"http://127.0.0.1:{self.port}/api"
        self.workspaces: dict[str, Path] = {}
        self.pids: set[int] = set()
        self.busy = 0

    @classmethod
    @contextmanager
    def standing(cls, soak: Soak, at_once: int | None = None) -> Iterator[Site]:
        """``at_once`` is the work pool's own limit, which starts runs in the order in which they were asked for."""
        site = cls(soak)
        site.start_server()
        try:
            site.prefect("work-pool", "create", "--type", "process", POOL)
            if at_once:
                site.prefect("work-pool", "set-concurrency-limit", POOL, str(at_once))
            site.prefect("deploy", "-n", "pipeline", "--pool", POOL)
            site.deployment = site.get("deployments/name/dialoguellm/pipeline")["id"]
            site.start_worker()
            yield site
        finally:
            for process in (getattr(site, "worker", None), site.server):
                if process is not None:
                    end(process.pid)

    def environment(self) -> dict[str, str]:
        return environment(self.home, PREFECT_API_URL=self.api)

    def prefect(self, *arguments: str) -> str:
        return self.command("prefect", "--no-prompt", *arguments)

    def command(self, module: str, *arguments: str) -> str:
        found = subprocess.run(
            [sys.executable, "-m", module, *arguments], env=self.environment(), cwd=ROOT, capture_output=True, text=True
        )
        if found.returncode:
            raise SystemExit(f"{module} {' '.join(arguments)}: {found.stdout}{found.stderr}")
        return found.stdout

    # ---- what can be killed

    def start_server(self) -> None:
        self.server = start_server(self.home, self.port)

    def kill_server(self) -> None:
        end(self.server.pid)

    def start_worker(self) -> None:
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL, "--name", "only"]
        with (self.home / "worker.log").open("ab") as log:
            self.worker = subprocess.Popen(
                command, env=self.environment(), cwd=ROOT, stdout=log, stderr=log, start_new_session=True
            )

    def kill_worker(self) -> None:
        """The worker alone: the flow that it started is not told."""
        self.worker.kill()
        self.worker.wait()

    def kill_flow(self, run: str) -> None:
        os.kill(self.attempt(run)["pid"], signal.SIGKILL)

    def end_flow(self, run: str) -> None:
        with suppress(ProcessLookupError):
            self.kill_flow(run)

    # ---- runs

    def new_workspace(self, name: str) -> Path:
        """With ingest done, and its clip spoilt as in the reference."""
        workspace = make_workspace(self.soak.folder / name, self.soak.cache, drawn=True)
        self.command(
            "flows.cli",
            "run",
            str(self.soak.config),
            "-w",
            str(workspace),
            "--until",
            "ingest",
            "--direct",
            "--no-check",
        )
        spoil(workspace)
        return workspace

    def begin(self, workspace: Path, *, queue: bool = True) -> str:
        """A run of the deployment, as the UI starts it; without ``queue`` past the deployment's own limit, by hand."""
        request = {"config": str(self.soak.config), "workspace": str(workspace)}
        if not queue:
            before = {item["id"] for item in self.post("flow_runs/filter", {})}
            program = (
                "import json, sys; from flows.pipeline import pipeline; from flows.parameters import PipelineRequest"
            )
            program += "; pipeline(PipelineRequest(**json.loads(sys.argv[1])))"
            command = [sys.executable, "-c", program, json.dumps(request)]
            with (self.home / "second.log").open("wb") as log:
                subprocess.run(command, env=self.environment(), cwd=ROOT, stdout=log, stderr=log, check=False)
            (run,) = {item["id"] for item in self.post("flow_runs/filter", {})} - before
        else:
            run = self.ask(request)
        self.workspaces[run] = workspace
        return run

    def ask(self, request: dict[str, Any]) -> str:
        """A run of the deployment with these parameters; its id."""
        path = f"deployments/{self.deployment}/create_flow_run"
        return str(self.post(path, {"parameters": {"request": request}})["id"])

    def wait_for_second_caption(self, run: str) -> None:
        self._wait_for(run, "lake/captions/*/part-00000.json", "made no caption")

    def wait_for_training(self, run: str) -> None:
        self._wait_for(run, "locks/_finetune-*", "not begun to train")

    def _wait_for(self, run: str, files: str, told: str) -> None:
        end = time.monotonic() + 400
        while not any(self.workspaces[run].glob(files)):
            if time.monotonic() > end:
                raise SystemExit(f"{run} is {self.state(run)} and has {told} in 400 s; see {self.home}/worker.log")
            time.sleep(0.05)
        self.pids.add(self.attempt(run)["pid"])
        time.sleep(0.5)

    def attempt(self, run: str) -> dict[str, Any]:
        """The last attempt's record."""
        found: dict[str, Any] = json.loads(max(self.workspaces[run].glob("runs/*/attempt-*.json")).read_bytes())
        return found

    def retry(self, run: str) -> None:
        """What the UI's Retry sends, after half a minute: a worker may report a crash twice, the second time late."""
        time.sleep(30)
        self.post(f"flow_runs/{run}/set_state", {"state": {"type": "SCHEDULED", "name": "AwaitingRetry"}})

    def cancel(self, run: str) -> None:
        self.post(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING", "name": "Cancelling"}})

    def reap(self, run: str) -> str:
        return self.command("flows.cli", "reap", "-w", str(self.workspaces[run])).strip().replace("\n", "; ")

    def state(self, run: str) -> str:
        return str(self.get(f"flow_runs/{run}")["state"]["type"])

    def message(self, run: str) -> str:
        return str(self.get(f"flow_runs/{run}")["state"]["message"])

    def wait(self, run: str, *states: str, seconds: float) -> str:
        """The first of these states that it comes to; the state that it is in when the time is up."""
        end = time.monotonic() + seconds
        found = self.state(run)
        while found not in states and time.monotonic() < end:
            time.sleep(0.5)
            found = self.state(run)
        return found

    def flow_is_alive(self, run: str) -> bool:
        return psutil.pid_exists(self.attempt(run)["pid"])

    def left(self) -> int:
        """Flows, decoders and other helpers that are there a minute after their run ended."""
        end = time.monotonic() + 60
        while (found := self._helpers()) and time.monotonic() < end:
            time.sleep(1)
        return found

    def _helpers(self) -> int:
        found = 0
        for process in psutil.process_iter(["pid", "cmdline"]):
            with suppress(psutil.Error):
                ours = process.environ().get("HOME") == str(self.home)
                line = " ".join(process.info["cmdline"] or ())
                found += ours and any(name in line for name in ("engine", "_worker", "video.worker", "_helper"))
        return found

    # ---- the server's API

    def get(self, path: str) -> Any:
        return self._answer("GET", path)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._answer("POST", path, json=body)

    def _answer(self, method: str, path: str, **more: Any) -> Any:
        """As Prefect's own client asks: again where the server is busy, 503 (SQLite takes one writer at a time)."""
        for pause in (1, 2, 5, 10, None):
            answer = httpx.request(method, f"{self.api}/{path}", timeout=60, trust_env=False, **more)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or pause is None:
                break
            self.busy += 1
            time.sleep(pause)
        if answer.is_error:
            raise SystemExit(f"{answer.request.url}: {answer.status_code} {answer.text[:500]}")
        return answer.json()


def end(pid: int) -> None:
    """Kills a process and all that it started."""
    with suppress(psutil.NoSuchProcess):
        own = psutil.Process(pid)
        for process in [*own.children(recursive=True), own]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs([own], timeout=10)
