"""The page is whole, harmless and the same twice, whatever the rows hold or lack."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from html_page import Page, assert_accessible, assert_harmless
from report_rows import TEST_IDS, about, keyframe, metrics, prediction, rows, utterance

from model.dialogue import Caption, Metric, Rejected
from tasks.report import ORDER, STAGE, ReportSettings, render
from tasks.stage import Context

SETTINGS = ReportSettings()
COSTS = [
    {
        "stage": "captions",
        "done": 12,
        "row_count": 150,
        "rejects": 2,
        "seconds": 75.0,
        "bytes": 2_500_000,
        "tokens": 900,
    },
    {"stage": "score", "done": 1, "row_count": 338, "rejects": 0, "seconds": 0.0, "bytes": 3, "tokens": None},
    {"stage": "report", "done": 0, "row_count": 0, "rejects": 0, "seconds": 0.0, "bytes": 0, "tokens": None},
]


def page(found: Mapping[str, Sequence[Any]], record: Mapping[str, Any] | None = None) -> Page:
    return Page(render(found, SETTINGS, about() if record is None else record))


def undrawn() -> dict[str, list[Any]]:
    """The rows without those that make figures, which take their time."""
    return {**rows(), "metrics": [], "training_log": []}


def test_the_stage_writes_one_file_and_its_digest(tmp_path: Path) -> None:
    calls: list[int] = []
    context = Context(
        cache=tmp_path,
        folder=tmp_path / "reports" / "x",
        about=about(),
        progress=lambda done, _n, _w: calls.append(done),
    )
    (row,) = STAGE.run(rows(), SETTINGS, context)
    written = (context.folder / row.path).read_bytes()
    assert [path.name for path in context.folder.iterdir()] == ["index.html"]
    assert (row.bytes, row.sha256) == (len(written), hashlib.sha256(written).hexdigest())
    assert written.decode().rstrip().endswith("</html>")
    assert calls == [0, 1]


def test_a_finished_run_shows_everything() -> None:
    found = page(rows())
    words = "demo-123456|50.0 %|TF-IDF + logistic regression|Somebody waves|key-of-captions|torch 2.13.0"
    assert [one for one in words.split("|") if one not in found.text] == []
    assert found.text.count("✓ Right") == found.text.count("✗ Wrong") == 4
    assert sum(attributes.get("class") == "chart" for _, attributes in found.elements) == 4
    assert "Expected calibration error 20.0 points; interval of 95 % 15.0 to 31.0, too high" in found.text
    assert "Brier" not in found.text
    assert found.count("img") == 16
    assert found.text.count("0.5 s · score 0.80") == found.text.count("1.5 s · score 0.80") == 8
    assert "secret-host" not in found.text
    assert_harmless(found)


def test_everybody_can_read_it() -> None:
    assert_accessible(page(rows()))
    assert_accessible(page({}, {}))
    assert_accessible(page(joint(), {**about(), "costs": COSTS}))


def test_the_security_policy_comes_before_anything_it_governs() -> None:
    html = render(rows(), SETTINGS, about())
    policy = html.index("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert policy < html.index("<style")
    assert policy < html.index("<title")


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "' onmouseover='alert(1)",
        "</style></svg><iframe src=http://evil.example></iframe>",
        "{{ 7 * 7 }}{% raw %}",
        "\x00\u202e\ud800<b>$\\frac{1}{0$</b>",
    ],
)
def test_hostile_text_stays_text(hostile: str) -> None:
    found = saying(hostile)
    assert_harmless(found)
    assert [tag for tag, _ in found.elements] == [tag for tag, _ in saying("plain").elements]
    assert "49" not in found.text
    assert "\u202e" not in found.text


@cache
def saying(words: str) -> Page:
    """A page whose every text from outside is ``words``."""
    name = TEST_IDS[0]
    labelled = [row for row in metrics() if row.label]
    found: dict[str, list[Any]] = {
        "utterances": [utterance(name, speaker=words, text=words, emotion=words)],
        "keyframes": [keyframe(name)],
        "captions": [Caption(name, words, "m", "r", "p", 1, 1, (), 0.1)],
        "predictions": [prediction(name, words, None)],
        "metrics": [*metrics(words), *metrics(), *(replace(row, label=words, value=1.0) for row in labelled)],
        "rejects": [Rejected(words, words, words, words)],
    }
    settings = {"key": words, "settings": {words: words, "model": words}}
    return page(found, {**about(captions=settings), "run_id": words, "name": words, "source": words})


def test_the_same_rows_make_the_same_bytes() -> None:
    once = render(rows(), SETTINGS, about())
    record = about()
    sorted_as_in_its_file = {**record, "stages": dict(sorted(record["stages"].items()))}
    with matplotlib.rc_context({"font.size": 30, "svg.fonttype": "path"}):
        assert render(rows(), SETTINGS, sorted_as_in_its_file) == once


def test_nothing_at_all_still_makes_a_page() -> None:
    found = page({}, {})
    assert "no scores" in found.text
    assert "No model was trained" in found.text
    assert "no prediction to show" in found.text
    assert "every row that came in went through" in found.text
    assert_harmless(found)


@pytest.mark.parametrize("table", ["utterances", "keyframes", "captions", "predictions"])
def test_any_one_table_may_be_empty(table: str) -> None:
    assert_harmless(page({**undrawn(), table: []}))


def test_figures_are_left_out_one_by_one() -> None:
    assert "No model was trained" in page({**rows(), "training_log": []}).text
    assert "no scores for single labels" in page({**rows(), "metrics": []}).text


def test_predictions_without_labels_or_probabilities() -> None:
    only = [prediction(name, said=None, system="untuned") for name in TEST_IDS]
    found = page({**undrawn(), "predictions": only})
    assert found.text.count("Predicted no answer") == 8
    assert "hard to say" in found.text


def test_a_damaged_keyframe_is_named_not_shown() -> None:
    found = page({**undrawn(), "keyframes": [keyframe(name, picture=b"\xff\xd8 no") for name in TEST_IDS]})
    assert found.text.count("unreadable keyframe") == 8
    assert found.count("img") == 0


def test_text_only_is_said_plainly() -> None:
    lines = [utterance(name, video=None) for name in TEST_IDS]
    off = about(captions={"key": None, "settings": {"model": "unused"}})
    found = page({**undrawn(), "utterances": lines, "keyframes": [], "captions": []}, off)
    assert "Text only: no video was given, captions off." in found.text
    assert "unused" not in found.text


def test_ten_thousand_rejects_are_counted_not_listed() -> None:
    many = [Rejected(f"demo/train/{n}/0", "ingest", "no_label", f"detail {n} of it") for n in range(10_000)]
    few = [Rejected("demo/test/0/1", "captions", "repetition", "it repeats itself")]
    found = page({**undrawn(), "rejects": [*few, *many]})
    assert "10,001 rows were left out" in found.text
    assert "detail 2 of it" in found.text
    assert "detail 3 of it" not in found.text
    assert "and 9,997 more" in found.text
    assert found.text.index("no_label") < found.text.index("repetition")


def test_many_kinds_of_rejects_are_cut() -> None:
    found = page({**undrawn(), "rejects": [Rejected("a", "ingest", f"reason_{n}", "d") for n in range(100)]})
    assert "And 70 more kinds." in found.text


def test_only_the_keyframes_of_the_examples_are_read() -> None:
    class Lake(Mapping[str, Sequence[Any]]):
        def __init__(self) -> None:
            self.found, self.asked = undrawn(), dict[str, list[str]]()

        def __getitem__(self, table: str) -> Sequence[Any]:
            assert table not in ("keyframes", "captions"), "read whole"
            return self.found[table]

        def __iter__(self) -> Iterator[str]:
            return iter(self.found)

        def __len__(self) -> int:
            return len(self.found)

        def select(self, table: str, utterance_ids: Iterable[str]) -> list[Any]:
            self.asked[table] = list(utterance_ids)
            return [row for row in self.found[table] if row.utterance_id in self.asked[table]]

        def columns(self, table: str, names: Sequence[str]) -> list[list[Any]]:
            assert (table, names) == ("captions", ["utterance_id", "emotion_words"])
            return [[getattr(row, name) for row in self.found[table]] for name in names]

    lake = Lake()
    html = render(lake, ReportSettings(examples=2), about())
    assert len(lake.asked["keyframes"]) == len(set(lake.asked["captions"])) == 2
    assert Page(html).count("img") == 4


def test_the_stages_are_listed_in_the_pipelines_order() -> None:
    from tasks.stages import BY_NAME

    assert tuple(BY_NAME) == ORDER
    text = page(undrawn(), about(zebra={"key": "k", "settings": {}})).text
    assert (
        text.index("key-of-ingest") < text.index("key-of-captions") < text.index("key-of-report") < text.index("zebra")
    )


def joint() -> dict[str, list[Any]]:
    """The rows of a run on two corpora: those of the demo, and the same under another name without their videos."""
    found = rows()
    names = [name.replace("demo/", "meld/") for name in TEST_IDS]
    found["utterances"] += [utterance(name, video=None) for name in names]
    found["predictions"] += [prediction(name, said="anger") for name in names]
    found["metrics"] += [replace(row, corpus="meld") for row in metrics(n=6)]
    return found


def test_of_several_corpora_each_has_its_block() -> None:
    rejects = [Rejected(f"meld/train/0/{n}", "ingest", "leak", "it stands in demo/test/0/1") for n in range(3)]
    found = page({**joint(), "rejects": rejects})
    assert sum(attributes.get("class") == "corpus" for _, attributes in found.elements) == 10
    assert "8 demo test lines" in found.text
    assert "6 meld test lines" in found.text
    assert "2 of 8 meld test lines have no score." in found.text
    assert "No video of meld was given: the model reads their text alone." in found.text
    assert "stand in a test split were left out: 3 of meld." in found.text
    assert found.text.count("✓ Right") == found.text.count("✗ Wrong") - 4 == 2
    names = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(names) == len(set(names))
    assert_harmless(found)


def test_what_stages_cost_is_shown_where_it_is_known() -> None:
    found = page(undrawn(), about() | {"costs": COSTS})
    assert "captions 1 min 15 s 150 2 12 2.0 900 2.5 score 0.0 s 338 0 1 – – 0.0" in found.text
    assert "all 1 min 15 s 488 2 13 900 2.5" in found.text
    assert "What its stages cost is not at hand." in page(undrawn()).text


def test_captions_and_neutral_have_their_tables() -> None:
    found = page(undrawn())
    assert "names none 50.0 50.0 0.0 8 2 dialogues" in found.text
    calm = {**undrawn(), "metrics": [Metric("demo", "test", "tuned", "confusion", "neutral", "neutral", 3)]}
    assert "Tuned (LoRA) 100.0 +0.0 100.0 – –" in page(calm).text
    captions = [replace(row, emotion_words=("joy",)) for row in rows()["captions"][:3]]
    assert "names an emotion 33.3 33.3 0.0 3 1 dialogue" in page({**undrawn(), "captions": captions}).text
    assert "No line that was scored has a caption." in page({**undrawn(), "captions": []}).text


def test_the_papers_numbers_stand_beside_those_of_its_corpora() -> None:
    found = {**rows(), "training_log": []}
    found["metrics"] = [replace(row, corpus="meld", label=None) for row in metrics() if not row.label]
    shown = page(found)
    assert "The paper’s DialogueLLM 72.0 71.9 – –" in shown.text
    assert "means of five seeds" in shown.text
    assert "The paper" not in page({**found, "metrics": [replace(row, split="dev") for row in found["metrics"]]}).text


def test_one_corpus_alone_needs_no_heading() -> None:
    assert not [tag for tag, attributes in page(rows()).elements if attributes.get("class") == "corpus"]
    assert render(rows(), SETTINGS, about()).startswith("<!DOCTYPE html>\n<html")


def test_the_commonest_mistakes_are_shown_with_lines() -> None:
    text = page(rows()).text
    assert "joy taken for anger 4 of 8 Ana: Line 0. demo/test/0/0 Ana: Line 2. demo/test/0/2" in text


def test_a_correction_and_the_readings_of_the_test_split_are_shown() -> None:
    found = {**rows(), "training_log": []}
    found["metrics"] += [*metrics("tuned+prior"), *metrics(split="dev"), *metrics("tuned+prior", split="dev")]
    fitted = [("prior", "tau", None, 0.35), ("biases", "bias_share", None, 0.5), ("biases", "bias", "joy", -0.25)]
    found["metrics"] += [Metric("demo", "dev", f"tuned+{name}", *more[:2], None, more[2]) for name, *more in fitted]
    shown = page(found, {**about(finetune={"key": "k"}), "test_readings": [{"run_id": "demo-123456"}] * 3})
    assert "to the power of tau = 0.35, chosen on dev. On dev itself: weighted F1 66.7 to 66.7" in shown.text
    assert "a bias for each label: joy -0.25 nats, 50 % of what is best on dev" in shown.text
    assert "On test: weighted F1 66.7 to 66.7" in shown.text
    assert "The test split was read 3 times by this adapter" in shown.text
