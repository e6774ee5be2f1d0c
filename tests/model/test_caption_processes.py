"""Captioners in processes that are killed, stopped and starved for real; the captions are those of one process."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from model import machine
from model.caption_chat import Clip
from model.caption_models import find
from model.caption_process import Asked, CaptionWorker, Job
from model.caption_processes import ProcessCaptioner, cut, default_processes
from model.caption_prompt import CaptionPrompt
from model.captioner import Described, TransformersCaptioner
from model.child_process import ROOM, WorkerLost
from model.errors import WeightsError

PROMPT = CaptionPrompt("test", "Describe what can be seen.")
pytestmark = pytest.mark.usefixtures("one_thread")


def jpeg(shade: int, size: tuple[int, int] = (48, 32)) -> bytes:
    picture = Image.new("RGB", size, (shade % 256, (3 * shade) % 256, 128))
    picture.paste((255 - shade % 256, 20, (7 * shade) % 256), (5, 5, 5 + shade % 30, 20))
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()


def clip(*jpegs: bytes, words: str = "") -> Clip:
    return Clip(jpegs, tuple(n / 2 for n in range(len(jpegs))), words)


CLIPS = [clip(*(jpeg(17 * n + k) for k in range(1 + n % 3)), words="Oh!" * (n % 2)) for n in range(10)]


def told(results: Any) -> list[Any]:
    return [
        (one.text, one.n_frames, one.n_tokens, one.n_prompt_tokens) if isinstance(one, Described) else one.reason
        for one in results
    ]


@pytest.fixture(scope="module")
def expected(tiny_captioner: Path) -> list[Any]:
    return told(TransformersCaptioner(tiny_captioner).describe(CLIPS, PROMPT, 12))


@pytest.fixture(scope="module")
def captioner(tiny_captioner: Path) -> Iterator[ProcessCaptioner]:
    """Two processes, both of which are there."""
    made = ProcessCaptioner(Job(tiny_captioner), batch_size=4, processes=2, idle_s=86400)
    made.describe(CLIPS[:1], PROMPT, 2)
    made._started_in = 1e-9
    made.describe(CLIPS, PROMPT, 12)
    while made.running() < 2:
        made.describe(CLIPS, PROMPT, 12)
    yield made
    made.close()


@pytest.fixture
def mended(captioner: ProcessCaptioner) -> ProcessCaptioner:
    captioner.batch_size, captioner._halved = 4, False
    return captioner


def pids(captioner: ProcessCaptioner) -> list[int]:
    return [worker._process.pid for worker in captioner._idle]


def test_two_processes_say_what_one_says(mended: ProcessCaptioner, expected: list[Any]) -> None:
    assert len(set(expected)) > len(expected) // 2, "the pictures make no difference: the test proves nothing"
    done: list[int] = []
    results = mended.describe(CLIPS, PROMPT, 12, done.append)
    assert told(results) == expected
    assert sorted(done) == done
    assert done[-1] == len(CLIPS)
    assert all(isinstance(one, Described) and one.seconds > 0 for one in results)
    assert told(mended.describe(CLIPS[::-1], PROMPT, 12)) == expected[::-1]
    bad = mended.describe([CLIPS[0], clip(jpeg(1), b"answer: joy"), clip(), CLIPS[1]], PROMPT, 12)
    assert told(bad) == [expected[0], "bad_picture", "no_frames", expected[1]]
    assert mended.describe([], PROMPT, 12) == []


def test_shards_that_run_at_once_share_the_processes(mended: ProcessCaptioner, expected: list[Any]) -> None:
    found: dict[int, list[Any]] = {}
    before = set(pids(mended))

    def shard(number: int) -> None:
        found[number] = told(mended.describe(CLIPS[number:], PROMPT, 12))

    threads = [threading.Thread(target=shard, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: expected[number:] for number in range(3)}
    assert set(pids(mended)) == before


@pytest.mark.parametrize("answer", [{"said": []}, {"said": [7] * 3}, {"said": None}, {"said": [{"text": 1}] * 3}])
def test_an_answer_that_makes_no_sense_is_that_of_a_lost_process(
    answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, said in {"_send": None, "_send_bytes": None, "_reply": answer}.items():
        monkeypatch.setattr(CaptionWorker, name, lambda *_, said=said: said)
    worker = CaptionWorker.__new__(CaptionWorker)  # without a process behind it
    with pytest.raises(WorkerLost, match="answered nonsense"):
        worker.describe(Asked(CLIPS[:3], PROMPT, 2), 4, 1.0, threading.Event())


def signalled(kind: signal.Signals, times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next ``times`` processes get the signal when they are asked."""
    ask = CaptionWorker.describe
    left = iter(range(times))

    def describe(self: CaptionWorker, *asked: Any) -> Any:
        if next(left, None) is not None:
            os.kill(self._process.pid, kind)
        return ask(self, *asked)

    monkeypatch.setattr(CaptionWorker, "describe", describe)


def test_a_killed_process_is_replaced_once_with_smaller_batches(
    mended: ProcessCaptioner,
    expected: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    signalled(signal.SIGKILL, 1, monkeypatch)
    assert told(mended.describe(CLIPS, PROMPT, 12)) == expected
    (said,) = [record.message for record in caplog.records]
    assert said.startswith("a captioner's process was killed (SIGKILL")
    assert said.endswith("going on with 2 utterances at once")


def test_processes_that_are_killed_again_and_again_fail_the_shard(
    mended: ProcessCaptioner, expected: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for pid in pids(mended)[:-1]:  # killed while it has nothing to do: nobody's failure
        psutil.Process(pid).kill()
    signalled(signal.SIGKILL, 2, monkeypatch)
    with pytest.raises(RuntimeError, match=r"was killed \(SIGKILL.* twice over the same 3 utter.*batch_size or"):
        mended.describe(CLIPS[:3], PROMPT, 12)
    assert told(mended.describe(CLIPS[:3], PROMPT, 12)) == expected[:3], "a rerun finds new ones"


def test_a_process_that_hangs_is_ended(mended: ProcessCaptioner, monkeypatch: pytest.MonkeyPatch) -> None:
    signalled(signal.SIGSTOP, 1, monkeypatch)
    monkeypatch.setattr(mended, "timeout_s", 1.0)
    before = {*pids(mended)}
    with pytest.raises(RuntimeError, match=r"gave no sign for 1 s and was ended; set captions\.timeout_s higher"):
        mended.describe(CLIPS[:2], PROMPT, 12)
    assert sum(psutil.pid_exists(pid) for pid in before) == len(before) - 1


def test_out_of_memory_in_a_process_halves_the_batch_and_is_told(
    tiny_captioner: Path, expected: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Sixteen pictures of 42 MB have no room in the 500 MB that are left to the process, eight have."""
    large = [clip(jpeg(n, (2800, 2100)), jpeg(99 + n, (2800, 2100))) for n in range(8)]
    captioner = ProcessCaptioner(Job(tiny_captioner), batch_size=8)
    try:
        captioner.describe(CLIPS[:1], PROMPT, 2)
        process = psutil.Process(*pids(captioner))
        room = process.memory_info().vms + 500 * 10**6
        process.rlimit(psutil.RLIMIT_AS, (room, room))
        said = told(captioner.describe(large, PROMPT, 2))
        assert said == told(TransformersCaptioner(tiny_captioner, 1).describe(large, PROMPT, 2))
        assert "out of memory: going on with 4 utterances at once" in caplog.text
        assert pids(captioner) == [process.pid], "it was not replaced"
        assert told(captioner.describe(CLIPS, PROMPT, 12)) == expected
    finally:
        captioner.close()


def test_they_know_no_secrets_and_end_when_there_is_nothing_to_do(
    tiny_captioner: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-mine")
    sent: list[dict[str, Any]] = []
    send: Callable[..., None] = CaptionWorker._send
    monkeypatch.setattr(CaptionWorker, "_send", lambda self, told: (sent.append(dict(told)), send(self, told)))
    captioner = ProcessCaptioner(Job(tiny_captioner, find("qwen3-vl-4b")), idle_s=0.05)
    seen: list[psutil.Process] = []
    captioner.describe(CLIPS[:1], PROMPT, 2, lambda _done: seen.append(psutil.Process(*pids(captioner))))
    assert "sk-of-mine" not in seen[0].environ().values()
    assert seen[0].environ()["OMP_NUM_THREADS"] == "1"
    assert sent[0]["model"]["long_side"] == 512, "how its pictures are shown goes along"
    seen[0].wait(60)


def test_a_folder_that_cannot_be_loaded_is_said_as_ever(tmp_path: Path) -> None:
    captioner = ProcessCaptioner(Job(tmp_path))
    with pytest.raises(WeightsError, match="is not a vision-language model that can be loaded"):
        captioner.describe(CLIPS[:1], PROMPT, 2)
    assert captioner._there == 0


def test_they_end_with_the_process_that_started_them(tiny_captioner: Path) -> None:
    """Killed in the middle of a batch, it cannot tell them."""
    program = (
        "import os, sys, threading\n"
        "from pathlib import Path\n"
        "from model.caption_process import *\n"
        "from model.caption_prompt import CaptionPrompt\n"
        "worker = CaptionWorker(Job(Path(sys.argv[1])), threading.Event())\n"
        "print(worker._process.pid, flush=True)\n"
        "asked = Asked([Clip((sys.stdin.buffer.read(),), (0.0,))], CaptionPrompt('test', 'Say what you see.'), 900)\n"
        "worker.describe(asked, 1, 99, threading.Event())\n"
    )
    command = [sys.executable, "-c", program, str(tiny_captioner)]
    with subprocess.Popen(command, cwd=ROOM, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ran:
        assert ran.stdin
        assert ran.stdout
        orphan = psutil.Process(int(ran.stdout.readline()))
        ran.stdin.write(jpeg(1))
        ran.stdin.close()
        time.sleep(0.3)
        ran.kill()
    _, alive = psutil.wait_procs([orphan], timeout=60)
    assert not alive


@pytest.mark.parametrize(
    ("number", "processes", "sizes"),
    [
        (0, 2, []),
        (3, 2, [3]),
        (8, 2, [4, 4]),
        (48, 2, [12] * 4),
        (128, 2, [16] * 8),
        (20, 1, [10, 10]),
        (33, 1, [11] * 3),
    ],
)
def test_batches_are_even_and_enough_for_all(number: int, processes: int, sizes: list[int]) -> None:
    clips = [Clip(tuple(bytes([k]) for k in range(n % 4)), (0.0,) * (n % 4)) for n in range(number)]
    batches = cut(clips, 16, processes)
    assert [len(batch) for batch in batches] == sizes
    assert sorted(index for batch in batches for index in batch) == [*range(number)]
    pictures = [len(clips[index].jpegs) for batch in batches for index in batch]
    assert pictures == sorted(pictures, reverse=True)


def test_pictures_of_one_size_are_described_together() -> None:
    """What is padded is read for nothing: models that take a picture as it is make more tokens of a larger one."""
    sizes = [(48, 32), (320, 180), (180, 320), (96, 64)]
    clips = [clip(*(jpeg(n + k, sizes[n % 4]) for k in range(1 + n % 8 // 4))) for n in range(32)]
    assert clips[0].size() == (1, 48 * 32)
    together = [{clips[index].size() for index in batch} for batch in cut(clips, 4, 1)]
    assert [len(found) for found in together] == [1] * 8
    assert together == sorted(together, key=max, reverse=True)
    assert clip(b"answer: joy", jpeg(1)).size() == (2, 48 * 32)


def test_as_many_as_there_are_cores_and_as_fit_into_half_of_the_free_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "free_memory", lambda: 20 * 10**9)
    monkeypatch.setattr(machine, "has_gpu", lambda: False)
    assert [default_processes(size * 10**9) for size in (0, 1, 3, 5, 6, 11, 90)] == [8, 8, 3, 2, 1, 1, 1]
    monkeypatch.setattr(machine, "has_gpu", lambda: True)
    assert default_processes(1) == 1
