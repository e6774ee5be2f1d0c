"""How the processes of a training run meet and talk: torch.distributed over gloo.

On one machine they meet in a file, on several at an address where process 0 listens (torch's TCPStore). Neither asks
who comes: an address is for a network that is trusted. What is sent is numbers and JSON, never a pickle.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from model.errors import TrainingError

WAITING_S = 7 * 24 * 3600.0
"""How long a process waits for one that is there; one that is gone is noticed at once."""


class Lost(Exception):
    """Another process of the run is gone, or has not answered in time."""


@dataclass(frozen=True, slots=True)
class Place:
    """A process's place in a run: number ``rank`` of ``size``, and ``local`` on its own host, its GPU's number too.

    ``meet`` is a file's path, or ``host:port``. ``cache`` is where its host keeps weights, ``waiting_s`` how long it
    waits for the others at a step.
    """

    rank: int
    size: int
    meet: str
    local: int = 0
    cache: str = ""
    waiting_s: float = WAITING_S


def address(meet: str) -> tuple[str, int]:
    """Host and port of ``host:port``; ``[…]:port`` where the host is an IPv6 address. Raises ValueError."""
    host, _, port = meet.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{meet!r} is no address: write host:port, for example 10.0.0.1:29500")
    return host.strip("[]"), int(port)


@contextmanager
def noticing() -> Iterator[None]:
    """torch says RuntimeError of many things: inside the block it is Lost."""
    try:
        yield
    except RuntimeError as error:
        raise Lost(str(error).splitlines()[0]) from error


class Meeting:
    """What processes say to one another beside numbers: texts under keys, in torch's store. Raises Lost.

    ``lead``: the one that listens at an address. It no longer does once it is closed, or nobody holds it.
    """

    def __init__(self, meet: str, *, lead: bool = False, waiting_s: float = 60.0) -> None:
        """Raises TrainingError where the address cannot be had, or nobody is there."""
        from torch.distributed import FileStore, TCPStore

        self._waiting = timedelta(seconds=waiting_s)
        if meet.startswith("/"):
            self._store: Any = FileStore(meet)
            return
        try:
            self._store = TCPStore(*address(meet), is_master=lead, wait_for_workers=False, timeout=self._waiting)
        except RuntimeError as error:
            reason = str(error).splitlines()[0]
            what = "this host cannot listen there" if lead else "host 0 cannot be reached"
            raise TrainingError(f"finetune.rendezvous = {meet!r}: {what} ({reason}); choose a free port") from error

    def say(self, key: str, text: str = "1") -> None:
        with noticing():
            self._store.set(key, text)

    def said(self, *keys: str) -> bool:
        """Whether all of them have been said."""
        with noticing():
            return bool(self._store.check([*keys]))

    def hear(self, key: str) -> str:
        """Waits until it is said."""
        with noticing():
            return str(self._store.get(key).decode())

    def count(self, key: str, more: int = 0) -> int:
        with noticing():
            return int(self._store.add(key, more))

    def of_group(self) -> Any:
        from torch.distributed import PrefixStore

        return PrefixStore("group", self._store)

    def close(self) -> None:
        self._store = None


def answers(meet: str) -> bool:
    """Whether somebody listens at ``host:port``."""
    try:
        socket.create_connection(address(meet), timeout=2.0).close()
    except OSError:
        return False
    return True


@contextmanager
def joined(place: Place, meeting: Meeting, backend: str = "gloo") -> Iterator[None]:
    """Inside the block this process is one of the run's, which have all come."""
    import torch

    with _over(_interface(place.meet)), noticing():
        _first_of_its_process()
        torch.distributed.init_process_group(
            backend,
            store=meeting.of_group(),
            rank=place.rank,
            world_size=place.size,
            timeout=timedelta(seconds=place.waiting_s),
        )
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def _first_of_its_process() -> None:
    """torch numbers the groups of a process, and names where they meet by the number. A group that did not come about
    keeps its number, and the next one would wait for ever where nobody else comes."""
    from torch.distributed import distributed_c10d

    if not distributed_c10d.is_initialized():
        distributed_c10d._world.group_count = 0


@contextmanager
def _over(interface: str) -> Iterator[None]:
    """gloo on this network interface, unless the environment names one: else it asks for the machine's name, which may
    lead nowhere."""
    mine = "GLOO_SOCKET_IFNAME" not in os.environ and interface
    if mine:
        os.environ["GLOO_SOCKET_IFNAME"] = interface
    try:
        yield
    finally:
        if mine:
            del os.environ["GLOO_SOCKET_IFNAME"]


def _interface(meet: str) -> str:
    """The interface by which this machine reaches an address, "" where that is not to be found; "lo" for a file."""
    import psutil

    if meet.startswith("/"):
        return "lo"
    family, kind, _, _, where = socket.getaddrinfo(*address(meet), type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as probe:
        probe.connect(where)  # sends nothing
        own = probe.getsockname()[0]
    found = psutil.net_if_addrs().items()
    return next((name for name, parts in found if any(part.address.split("%")[0] == own for part in parts)), "")


def send(*tensors: Any) -> None:
    """Process 0's tensors into those of the others, which have the same shapes."""
    import torch

    with noticing():
        for tensor in tensors:
            torch.distributed.broadcast(tensor, 0)


def add_up(tensor: Any) -> None:
    """The sum of all processes' tensors into that of process 0; those of the others are used up."""
    import torch

    with noticing():
        torch.distributed.reduce(tensor, 0)


def is_of_group(error: RuntimeError) -> bool:
    """Whether an error in the middle of a model is one of the connection to the others."""
    from torch.distributed import DistError

    return isinstance(error, DistError) or "gloo" in str(error)


def tell(text: str = "") -> str:
    """Process 0's text, to all."""
    import torch

    written = torch.frombuffer(bytearray(text.encode() or b" "), dtype=torch.uint8)
    size = torch.tensor([len(written)])
    send(size)
    if torch.distributed.get_rank():
        written = torch.empty(int(size), dtype=torch.uint8)
    send(written)
    return bytes(written.numpy()).decode()
