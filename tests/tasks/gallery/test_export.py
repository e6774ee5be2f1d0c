"""The gallery as a folder: whole, and of one split where asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from shown_run import LINES, described

from model.errors import SettingsError
from tasks.gallery.export import export
from tasks.gallery.snapshot import Snapshot
from tasks.plan import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return described(tmp_path_factory.mktemp("gallery"), LINES)


def test_an_export_is_whole_and_links_only_to_what_is_there(tmp_path: Path, run: Run) -> None:
    count = export(Snapshot(run, split="test"), tmp_path / "out")
    pages = list((tmp_path / "out").glob("*.html"))
    assert len(pages) == count == 12 + 48 + 2
    names = {path.name for path in pages}
    for path in pages:
        text = path.read_text()
        for link in (part.split('"')[0] for part in text.split('href="')[1:] if not part.startswith(("#", "data:"))):
            assert link in names
        for source in (part.split('"')[0] for part in text.split('src="')[1:]):
            assert (tmp_path / "out" / source).is_file()
    with pytest.raises(SettingsError, match="is there already"):
        export(Snapshot(run), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
