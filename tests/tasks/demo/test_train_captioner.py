"""The captioner's training: its targets point at the drawn people, and its parts fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.demo.captioner_card import write_card
from tasks.demo.captioner_data import SIDE, FramePool, frame_starts, make_shot, render_shot, shrink
from tasks.demo.captioner_language import SCORES, simulate
from tasks.demo.captioner_model import (
    GRID,
    IMAGE_TOKENS,
    build_model,
    build_processor,
    build_tokenizer,
    save_captioner,
)
from tasks.demo.captioner_score import score, write_captions
from tasks.demo.captioner_vision import augment, targets
from tasks.demo.train_captioner import train
from tasks.demo.world import EXPRESSIONS, describe

SHOTS = [make_shot(seed) for seed in range(40)]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer()


def test_every_person_has_one_cell_from_left_to_right() -> None:
    frames = [(shot, len(shot.scenes) - 1) for shot in SHOTS]
    whole, cells = targets(frames, np.zeros((len(frames), 2)), SIDE)
    for (shot, index), picture, cell in zip(frames, whole, cells, strict=True):
        people = shot.scenes[index].people
        taken = cell[:, 0].nonzero().flatten().tolist()
        assert len(taken) == len(people) == picture[2]
        taken.sort(key=lambda at: at % GRID)
        assert [cell[at, 4].item() for at in taken] == [EXPRESSIONS.index(p.expression) for p in people]
        assert [cell[at, 6].item() for at in taken] == list(range(len(people)))


def test_moving_a_picture_moves_its_cells_the_same_way() -> None:
    image = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    image[0, 80, 80] = 255
    for seed in range(5):
        moved, moves = augment(image, np.random.default_rng(seed))
        down, right = np.argwhere(moved[0, :, :, 0] > 100)[0] - 80
        assert (right, down) == tuple(moves[0])


def test_simulated_scores_say_who_is_there() -> None:
    frames = [(shot, 0) for shot in SHOTS if shot.scenes[0].people]
    _, cells = targets(frames, np.zeros((len(frames), 2)), SIDE)
    scores = simulate(frames, np.random.default_rng(1))
    assert scores.shape == (len(frames), IMAGE_TOKENS, SCORES)
    present = scores[..., 1] > scores[..., 0]
    assert (present.sum(1) == cells[..., 0].sum(1)).float().mean() > 0.7


def test_true_captions_score_full_marks_and_empty_ones_none() -> None:
    captions = [shot.caption for shot in SHOTS]
    assert set(score(captions, SHOTS).values()) == {1.0}
    assert set(score([""] * len(SHOTS), SHOTS).values()) <= {0.0}
    assert all(shot.caption == describe(shot.scenes) for shot in SHOTS)


def test_training_renders_what_the_processor_would_see(tokenizer: Any) -> None:
    frame = render_shot(SHOTS[0], 0)[0]
    processed = build_processor(tokenizer).image_processor(frame, return_tensors="np")["pixel_values"][0]
    assert np.abs(shrink(frame).transpose(2, 0, 1) / 127.5 - 1 - processed).max() < 1e-5


def test_a_pool_fills_while_it_is_read(tmp_path: Path) -> None:
    seeds = range(3, 9)
    pool = FramePool(tmp_path, seeds)
    try:
        pool.wait(frame_starts(seeds)[-1])
        images, known = pool.frames(7, np.random.default_rng(0))
        prompts, shots, picked = pool.utterances(3, 2, np.random.default_rng(0))
    finally:
        pool.close()
    shot, index = known[0]
    seed = next(seed for seed in seeds if make_shot(seed) == shot)
    assert np.array_equal(images[0], shrink(render_shot(shot, seed)[index]))
    assert prompts.shape == (3, 2, SIDE, SIDE, 3)
    assert all(len(shot.scenes) >= 2 and chosen == sorted(chosen) for shot, chosen in zip(shots, picked, strict=True))


def test_a_few_seconds_of_training_give_a_folder_that_loads_and_writes(tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    stages: dict[str, float] = {}
    model, processor = train(3, 0.03, lambda name, part, _: stages.__setitem__(name, part), shots=40)
    assert len(stages) == 3
    out = tmp_path / "captioner"
    scores = {"all": {"expressions": 0.5}}
    for _ in range(2):  # the second save replaces the first
        save_captioner(model, processor, out, write_card(model, processor, scores, 3, 0.1))
    assert [path.name for path in tmp_path.iterdir()] == ["captioner"]
    loaded, again = AutoModelForImageTextToText.from_pretrained(out), AutoProcessor.from_pretrained(out)
    frames = [render_shot(SHOTS[0], 0)]
    expected = write_captions(model, processor, frames)
    assert write_captions(loaded.eval(), again, frames) == expected


def test_the_tokenizer_knows_every_word_of_the_world(tokenizer: Any) -> None:
    for shot in SHOTS:
        ids = tokenizer(shot.caption)["input_ids"]
        assert tokenizer.decode(ids) == shot.caption
        assert len(ids) <= 1.4 * len(shot.caption.split()) + 4
    assert build_model(tokenizer).config.dialoguellm_world == "demo"
