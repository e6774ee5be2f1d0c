"""The gallery and the report in a real browser. Needs the package playwright and a Chromium on the path."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_rows import about, rows
from shown_run import LINES, described

from flows.gallery_server import HOST, application, listen
from tasks.gallery.export import export
from tasks.gallery.links import Served
from tasks.gallery.pages import Pages
from tasks.gallery.snapshot import Snapshot
from tasks.report import ReportSettings, render

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = "<script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">"

pytest.importorskip("playwright", reason="the package playwright is not installed")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path"),
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    lines = [replace(row, text=HOSTILE) if row.utterance_id == "demo/test/0/1" else row for row in LINES]
    return Snapshot(described(tmp_path_factory.mktemp("browsed"), lines))


@pytest.fixture(scope="module")
def address(snapshot: Snapshot) -> Iterator[str]:
    import uvicorn

    bound = listen(0)
    port = bound.getsockname()[1]
    app = application(Pages(snapshot, Served()), port, "a-token")
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    yield f"http://{HOST}:{port}/?token=a-token"
    server.should_exit = True
    thread.join(timeout=30)


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of which every error, refusal and request elsewhere is a failure."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    opened, faults = context.new_page(), []
    opened.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", lambda asked: faults.append(asked.url) if not _own(asked.url) else None)
    opened.on("response", lambda got: faults.append(got.url) if got.status >= 400 else None)
    yield opened
    context.close()
    assert not faults


def _own(url: str) -> bool:
    return url.startswith((f"http://{HOST}:", "file:", "data:"))


def test_the_gallery_is_browsed(page: Any, address: str) -> None:
    """One visit, since its address opens once: list, filter, dialogue, line, keys, a phone's width."""
    page.goto(address)
    assert "token" not in page.url
    assert page.locator(".card").count() == 25
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**page=2**")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "words"
    page.keyboard.type("no such words")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing fits.").wait_for()
    page.get_by_role("link", name="Show everything").click()
    page.get_by_label("Answer").select_option("wrong")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**answer=wrong**")
    assert page.locator(".card").count() == 2
    page.get_by_role("link", name="demo/test/0", exact=True).click()
    page.wait_for_load_state("networkidle")
    assert page.locator(".turn").count() == 4
    assert page.locator(".frames img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="demo/test/1", exact=True).wait_for()
    page.get_by_role("link", name="all about this line").first.click()
    page.get_by_role("heading", name="What moved the answer").wait_for()
    page.keyboard.press("u")
    page.get_by_role("heading", name="demo/test/1", exact=True).wait_for()
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_hostile_text_does_nothing_in_files_either(page: Any, snapshot: Snapshot, tmp_path: Path) -> None:
    export(snapshot, tmp_path / "out")
    page.goto((tmp_path / "out" / "index.html").as_uri())
    page.get_by_role("link", name="With a wrong answer").click()
    page.get_by_role("link", name="demo/test/0", exact=True).click()
    page.get_by_text(HOSTILE).first.wait_for()
    page.wait_for_load_state("networkidle")
    assert page.locator(".frames img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
    time.sleep(0.2)  # a picture that cannot be loaded would run its handler now
    assert page.title().startswith("demo/test/0")


def test_the_report_opens_from_a_file_and_asks_for_nothing(page: Any, tmp_path: Path) -> None:
    shown = rows()
    shown["utterances"] = [replace(row, text=HOSTILE) for row in shown["utterances"]]
    (tmp_path / "index.html").write_text(render(shown, ReportSettings(), about()))
    page.goto((tmp_path / "index.html").as_uri())
    page.get_by_role("heading", name="Scores").wait_for()
    time.sleep(0.2)
    assert "report" in page.title()
    for width in (390, 1100):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
