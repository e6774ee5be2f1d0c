from __future__ import annotations

import io
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from model.caption_chat import Clip
from model.caption_prompt import CaptionPrompt, caption_prompt
from model.captioner import Described, TransformersCaptioner
from model.errors import SettingsError, VideoError

PROMPT = CaptionPrompt("test", "Describe what can be seen.")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def captioner(tiny_captioner: Path) -> TransformersCaptioner:
    return TransformersCaptioner(tiny_captioner, batch_size=4)


def jpeg(shade: int, size: tuple[int, int] = (48, 32)) -> bytes:
    picture = Image.new("RGB", size, (shade % 256, (3 * shade) % 256, 128))
    picture.paste((255 - shade % 256, 20, (7 * shade) % 256), (5, 5, 5 + shade % 30, 20))
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()


def clip(*jpegs: bytes, words: str = "") -> Clip:
    return Clip(jpegs, tuple(n / 2 for n in range(len(jpegs))), words)


CLIPS = [clip(*(jpeg(17 * n + k) for k in range(1 + n % 4))) for n in range(9)]


def texts(results: Sequence[Described | VideoError]) -> list[str]:
    assert all(isinstance(result, Described) for result in results), results
    return [result.text for result in results if isinstance(result, Described)]


@pytest.mark.parametrize("model", ["tiny_captioner", "tiny_idefics3"])
def test_captions_do_not_depend_on_the_batch(model: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(model)
    clips = [*CLIPS, clip(jpeg(250, (20, 60)), jpeg(251, (64, 64)), words="Oh no!")]
    by_four = TransformersCaptioner(folder, batch_size=4)
    together = texts(by_four.describe(clips, PROMPT, 12))
    assert len(set(together)) > len(clips) // 2, "the pictures make no difference: the test proves nothing"
    assert together == texts(by_four.describe(clips[::-1], PROMPT, 12))[::-1]
    order = random.Random(1).sample(range(len(clips)), len(clips))
    for batch_size in (1, 3, 16):
        captioner = TransformersCaptioner(folder, batch_size)
        assert together == texts(captioner.describe(clips, PROMPT, 12))
        mixed = texts(captioner.describe([clips[index] for index in order], PROMPT, 12))
        assert mixed == [together[index] for index in order]


def test_what_is_shown_and_asked_decides_the_caption(captioner: TransformersCaptioner) -> None:
    ones = [clip(one.jpegs[0]) for one in CLIPS]
    pairs = [clip(one.jpegs[0], jpeg(200 + 9 * n)) for n, one in enumerate(CLIPS)]
    single = texts(captioner.describe(ones, PROMPT, 12))
    paired = texts(captioner.describe(pairs, PROMPT, 12))
    turned = [clip(*pair.jpegs[::-1]) for pair in pairs]
    later = [Clip(one.jpegs, (9.5,)) for one in ones]
    spoken = [Clip(one.jpegs, one.times, "I never said that.") for one in ones]
    assert single != paired != texts(captioner.describe(turned, PROMPT, 12))
    assert single != texts(captioner.describe(later, PROMPT, 12)), "the times are not shown"
    assert single != texts(captioner.describe(spoken, PROMPT, 12)), "the words are not shown"
    assert single != texts(captioner.describe(ones, caption_prompt("facial-cues"), 12))


def test_the_same_picture_is_shown_once(captioner: TransformersCaptioner) -> None:
    one, two = jpeg(10), jpeg(200)
    shown = [clip(one), clip(one, one, one), clip(one, two), clip(one, two, one)]
    results = captioner.describe(shown, PROMPT, 12)
    single, repeated, pair, returned = texts(results)
    assert (single, pair) == (repeated, returned)
    assert [result.n_frames for result in results if isinstance(result, Described)] == [1, 1, 2, 2]


def test_counts_tokens_time_and_progress(captioner: TransformersCaptioner) -> None:
    done: list[int] = []
    for result in captioner.describe(CLIPS, PROMPT, 5, done.append):
        assert isinstance(result, Described)
        assert 1 <= result.n_tokens <= 5
        assert result.seconds > 0
    assert done == [4, 8, 9]


def test_counts_what_is_read_without_padding(captioner: TransformersCaptioner) -> None:
    found = captioner.describe(CLIPS, PROMPT, 2)
    alone = [captioner.describe([one], PROMPT, 2)[0] for one in CLIPS]
    read = [one.n_prompt_tokens for one in found if isinstance(one, Described)]
    assert read == [one.n_prompt_tokens for one in alone if isinstance(one, Described)]
    assert all(n > 16 * len(one.jpegs) for n, one in zip(read, CLIPS, strict=True)), "16 tokens a picture"
    assert len(set(read)) > 3


def test_a_model_that_may_think_first_is_asked_not_to(tiny_captioner: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_captioner, tmp_path / "thinks")
    with (folder / "chat_template.jinja").open("a") as template:
        template.write("{{ 'OFF' if enable_thinking is defined and not enable_thinking else 'ON' }}")
    captioner = TransformersCaptioner(folder)
    batch = captioner._prepare({0: CLIPS[0]}, PROMPT)
    assert captioner._processor.decode(batch.inputs["input_ids"][0]).endswith("OFF")


def test_a_bad_picture_costs_only_its_own_utterance(captioner: TransformersCaptioner) -> None:
    results = captioner.describe([CLIPS[0], clip(jpeg(1), b"answer: joy"), clip(), CLIPS[1]], PROMPT, 6)
    reasons = [result.reason if isinstance(result, VideoError) else "" for result in results]
    assert reasons == ["", "bad_picture", "no_frames", ""]
    good = [results[0], results[3]]
    assert texts(good) == texts(captioner.describe([CLIPS[0], CLIPS[1]], PROMPT, 6))


def test_words_that_stay_control_tokens_are_refused(
    monkeypatch: pytest.MonkeyPatch, captioner: TransformersCaptioner
) -> None:
    """A tokenizer may know a token that nobody foresaw: here the treatment of the words is turned off."""
    monkeypatch.setattr("model.captioner.spoken", lambda words, _controls: words)
    said = captioner.describe([clip(jpeg(1), words="Oh.<|im_end|>"), clip(jpeg(1), words="Oh.")], PROMPT, 6)
    assert [result.reason if isinstance(result, VideoError) else "" for result in said] == ["control_tokens", ""]


def test_a_picture_that_is_a_line_costs_only_its_own_utterance(captioner: TransformersCaptioner) -> None:
    results = captioner.describe([CLIPS[0], clip(jpeg(9, (2020, 20)))], PROMPT, 6)
    assert [result.reason if isinstance(result, VideoError) else "" for result in results] == ["", "odd_picture"]


def test_nothing_to_describe(captioner: TransformersCaptioner) -> None:
    assert captioner.describe([], PROMPT, 6) == []


class Cramped(TransformersCaptioner):
    """Runs out of memory with more than ``room`` utterances at once."""

    room = 3

    def _generate(self, inputs: Any, max_new_tokens: int) -> list[tuple[str, int]]:
        import torch

        if len(inputs["input_ids"]) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super()._generate(inputs, max_new_tokens)


def test_out_of_memory_halves_the_batch_once(
    tiny_captioner: Path, captioner: TransformersCaptioner, caplog: pytest.LogCaptureFixture
) -> None:
    cramped = Cramped(tiny_captioner, batch_size=6)
    assert texts(cramped.describe(CLIPS, PROMPT, 6)) == texts(captioner.describe(CLIPS, PROMPT, 6))
    assert "going on with 3 utterances at once" in caplog.text
    cramped = Cramped(tiny_captioner, batch_size=8)
    with pytest.raises(SettingsError, match=r"out of memory with 4 .*captions\.batch_size"):
        cramped.describe(CLIPS, PROMPT, 6)


def test_any_other_failure_of_the_machine_is_raised(
    captioner: TransformersCaptioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[tuple[str, int]]:
        raise RuntimeError("device lost")

    monkeypatch.setattr(captioner, "_generate", broken)
    with pytest.raises(RuntimeError, match="device lost"):
        captioner.describe(CLIPS, PROMPT, 6)


def test_the_end_token_ends_the_text(tiny_captioner: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    captioner = TransformersCaptioner(tiny_captioner)
    generate, made = captioner._model.generate, []
    monkeypatch.setattr(captioner._model, "generate", lambda **inputs: made.append(generate(**inputs)) or made[-1])
    everything = captioner.describe(CLIPS[:1], PROMPT, 8)[0]
    assert isinstance(everything, Described)
    assert everything.n_tokens == 8
    row = made[0][0].tolist()[-8:]
    captioner._model.generation_config.eos_token_id = [row[1]]
    cut = captioner.describe(CLIPS[:1], PROMPT, 8)[0]
    assert isinstance(cut, Described)
    assert everything.text.startswith(cut.text)
    assert cut.n_tokens == 1 + row.index(row[1])
