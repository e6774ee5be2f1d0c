"""Takes the pictures of docs/images/ anew: `python docs/pictures.py RUN -w WORKSPACE [--against OTHER_RUN]`.

Needs the package playwright, a Chromium on the path, and a run of the demo that has its report; `dialoguellm explain`
of LINE puts what it found onto that line's page. Look at each picture before it is committed.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parent / "images"
DIALOGUE, LINE = "demo/test/3", "demo/test/0/0"
MOST_BYTES = 150_000

WIDE = {"viewport": {"width": 1000, "height": 760}}
DARK = {**WIDE, "color_scheme": "dark"}
PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("-w", "--workspace", default="workspace")
    parser.add_argument("--against", help="a run to compare with: its picture as well")
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as driver, served(asked.run, asked.workspace) as address:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        gallery(browser, address)
        page_of(browser, ["report", asked.run], asked.workspace, "report.png", 2150)
        if asked.against:
            command = ["compare", asked.run, asked.against, "--page"]
            page_of(browser, command, asked.workspace, "comparison.png", 1500)
        browser.close()


@contextmanager
def served(run: str, workspace: str) -> Iterator[str]:
    """The gallery's address, which opens once."""
    command = [sys.executable, "-m", "flows.cli", "gallery", run, "-w", workspace]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout
    try:
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


def gallery(browser: Browser, address: str) -> None:
    visit = browser.new_context()
    visit.new_page().goto(address)
    home, known = address.partition("/?")[0], visit.storage_state()
    line, dialogue = f"{home}/utterance?id={LINE}", f"{home}/dialogue?id={DIALOGUE}"
    for name, page, how, whole in (
        ("list", f"{home}/?split=test", WIDE, False),
        ("dialogue", dialogue, WIDE, False),
        ("line", line, WIDE, True),
        ("phone", dialogue, PHONE, False),
        ("dark", dialogue, DARK, False),
    ):
        take(browser.new_context(storage_state=known, **how), page, f"gallery-{name}.png", whole=whole)


def page_of(browser: Browser, command: list[str], workspace: str, name: str, height: int) -> None:
    """A picture of the head of the page whose path is the last line that a command prints."""
    line = [sys.executable, "-m", "flows.cli", *command, "-w", workspace]
    said = subprocess.run(line, capture_output=True, text=True, check=True).stdout
    size = {"viewport": {"width": 1000, "height": height}}
    take(browser.new_context(**size), Path(said.splitlines()[-1]).resolve().as_uri(), name)


def take(context: Any, address: str, name: str, *, whole: bool = False) -> None:
    """One picture, in as many colours as fit into MOST_BYTES."""
    page = context.new_page()
    page.goto(address)
    page.wait_for_load_state("networkidle")
    taken = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
    for colours in (256, 128, 64, 32):
        small = io.BytesIO()
        taken.quantize(colours, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
        if small.tell() <= MOST_BYTES:
            break
    (IMAGES / name).write_bytes(small.getvalue())
    print(f"{name}: {taken.width} × {taken.height}, {colours} colours, {small.tell()} bytes")
    context.close()


if __name__ == "__main__":
    main()
