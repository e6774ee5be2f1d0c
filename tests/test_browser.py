"""The gallery, the report and a comparison in a real browser. Needs the package playwright and a Chromium."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_rows import about, rows
from shown_run import LINES, described

from flows.gallery_server import HOST, application, listen
from tasks import comparison_page
from tasks.compare import differences, pairs
from tasks.gallery.export import export
from tasks.gallery.links import Served
from tasks.gallery.pages import Pages
from tasks.gallery.snapshot import Snapshot
from tasks.report import ReportSettings, render
from tasks.systems import Systems

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


def report(_: Snapshot) -> str:
    shown = rows()
    shown["utterances"] = [replace(row, text=HOSTILE) for row in shown["utterances"]]
    return render(shown, ReportSettings(), about())


def comparison(snapshot: Snapshot) -> str:
    one, other = (Systems(snapshot.run, "test").said(name) for name in ("tuned", "majority"))
    both = pairs(one, other, "test")
    found = [row for pair in both for row in differences(pair, 1000, 0)]
    return comparison_page.render(both, found, {"resamples": 1000, "seed": 0})


@pytest.mark.parametrize("make", [report, comparison])
def test_pages_open_from_a_file_and_ask_for_nothing(
    page: Any, snapshot: Snapshot, tmp_path: Path, make: Callable[[Snapshot], str]
) -> None:
    (tmp_path / "index.html").write_text(make(snapshot))
    page.goto((tmp_path / "index.html").as_uri())
    page.get_by_role("heading", name="Scores").wait_for()
    time.sleep(0.2)
    assert make.__name__ in page.title()
    details = page.locator("details").first
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    assert details.evaluate("one => one.open")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "scroll"  # what scrolls is reached by keys
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")
    page.emulate_media(media="screen")
    for width in (390, 1100):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
