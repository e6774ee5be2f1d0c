"""The captioner's training: its targets point at the drawn people, and its parts fit together."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.demo.captioner_card import write_card
from tasks.demo.captioner_crowd import CrowdPool, draw_crowd
from tasks.demo.captioner_data import SIDE, FramePool, Plan, Shot, frame_starts, make_shot, render_shot, shrink
from tasks.demo.captioner_language import SCORES, simulate
from tasks.demo.captioner_model import (
    GRID,
    IMAGE_TOKENS,
    build_model,
    build_processor,
    build_tokenizer,
    save_captioner,
)
from tasks.demo.captioner_optimizer import Optimizer
from tasks.demo.captioner_score import Hits, score, write_captions
from tasks.demo.captioner_vision import UNKNOWN, augment, targets
from tasks.demo.train_captioner import STAGES, train
from tasks.demo.world import EXPRESSIONS, Scene, describe

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


def test_a_crowd_has_many_people_and_leaves_the_picture_s_own_questions_open(tmp_path: Path) -> None:
    crowds = CrowdPool(tmp_path, range(20), SIDE, shrink)
    images, frames = crowds.sample(12, np.random.default_rng(0))
    whole, cells = targets(frames, np.zeros((12, 2)), SIDE)
    assert images.shape == (12, SIDE, SIDE, 3)
    assert sum(len(crowd.people) for crowd in frames) > 4 * 12
    assert (whole[:, 1:] == UNKNOWN).all()
    for crowd, cell in zip(frames, cells, strict=True):
        taken = int(cell[:, 0].sum())
        assert 0.7 * len(crowd.people) <= taken <= len(crowd.people)
        assert (cell[cell[:, 0] == 1, 6] == UNKNOWN).all()
    assert np.array_equal(draw_crowd(5), draw_crowd(5))


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
    full = score(captions, SHOTS)
    assert {hits.share for hits in full.values()} == {1.0}
    assert {hits.share for hits in score([""] * len(SHOTS), SHOTS).values()} <= {0.0}
    assert all(shot.caption == describe(shot.scenes) for shot in SHOTS)
    changing = sum(len({scene.people[i].expression for scene in s.scenes}) > 1 for s in SHOTS for i in _people(s))
    assert full["expressions that change"].asked == changing > 0
    assert full["posture"].asked == sum(len(_people(shot)) for shot in SHOTS)


def _people(shot: Shot) -> range:
    return range(len(shot.scenes[0].people))


def test_an_interval_is_wilsons() -> None:
    low, high = Hits(90, 100).interval()  # (p + z²/2n ± z·√(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)
    assert Hits(100, 100).interval()[1] == 1.0


def test_an_optimizer_warms_up_steps_every_parameter_and_ends_slowly() -> None:
    import torch

    torch.manual_seed(0)
    layer, table = torch.nn.Linear(32, 32), torch.nn.Embedding(40, 32)
    named = [*layer.named_parameters(), ("embed_tokens.weight", table.weight)]
    optimizer, moved = Optimizer(named, 120, 1e-2, 1e-2), []
    for _ in range(120):
        before = [p.detach().clone() for _, p in named]
        optimizer.step((layer(table.weight) - 1).square().mean())
        moved.append([float((p.detach() - old).abs().max()) for old, (_, p) in zip(before, named, strict=True)])
    assert all(size > 0 for size in moved[0])
    assert all(first < high > 5 * last for first, high, last in zip(moved[0], moved[50], moved[-1], strict=True))


def test_training_renders_what_the_processor_would_see(tokenizer: Any) -> None:
    frame = render_shot(SHOTS[0], 0)[0]
    processed = build_processor(tokenizer).image_processor(frame, return_tensors="np")["pixel_values"][0]
    assert np.abs(shrink(frame).transpose(2, 0, 1) / 127.5 - 1 - processed).max() < 1e-5


def test_a_pool_gives_the_pictures_of_its_seeds(tmp_path: Path) -> None:
    seeds = range(3, 9)
    parts: list[float] = []
    pool = FramePool(tmp_path, seeds, lambda part, _: parts.append(part))
    assert len(pool) == frame_starts(seeds)[-1]
    assert parts[-1] == 1.0
    assert parts == sorted(parts)
    images, known = pool.frames(7, np.random.default_rng(0))
    prompts, shots, picked = pool.utterances(3, 2, np.random.default_rng(0))
    shot, index = known[0]
    seed = next(seed for seed in seeds if make_shot(seed) == shot)
    assert np.array_equal(images[0], shrink(render_shot(shot, seed)[index]))
    assert prompts.shape == (3, 2, SIDE, SIDE, 3)
    assert all(len(shot.scenes) >= 2 and chosen == sorted(chosen) for shot, chosen in zip(shots, picked, strict=True))


def test_what_changes_is_shown_more_often_than_it_happens() -> None:
    rng = np.random.default_rng(0)
    shots = [shot for shot in map(make_shot, range(600)) if len(shot.scenes) == 2]
    drawn = [shot for shot in shots if shot.pick(2, rng)]

    def share(some: list[Shot], what: Callable[[Scene], object]) -> float:
        return sum(what(shot.scenes[0]) != what(shot.scenes[1]) for shot in some) / len(some)

    assert share(drawn, faces) > 1.5 * share(shots, faces)
    assert share(drawn, lambda scene: scene.shot) > share(shots, lambda scene: scene.shot)
    assert all(shot.pick(1, rng) for shot in shots)
    assert not any(shot.pick(3, rng) for shot in shots)


def faces(scene: Scene) -> list[str]:
    return [person.expression for person in scene.people]


def test_a_few_steps_give_a_folder_that_loads_and_writes_and_the_same_weights_again(tmp_path: Path) -> None:
    import safetensors.torch
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    stages: dict[str, float] = {}
    plan = Plan(shots=40, crowds=10, vision=3, simulated=3, pictures=2)
    model, processor = train(3, plan, lambda name, part, _: stages.__setitem__(name, part))
    assert stages == dict.fromkeys(STAGES, 1.0)
    out = tmp_path / "captioner"
    scores = {name: {"count": Hits(49, 50), "posture": Hits(90, 100)} for name in ("all", "1 frame")}
    card = write_card(model, processor, scores, 3, plan, dict.fromkeys((*STAGES, "evaluation"), 60.0))
    for _ in range(2):  # the second save replaces the first
        save_captioner(model, processor, out, card)
    assert [path.name for path in tmp_path.iterdir()] == ["captioner"]
    loaded, again = AutoModelForImageTextToText.from_pretrained(out), AutoProcessor.from_pretrained(out)
    held, kept = loaded.state_dict(), safetensors.torch.load_file(out / "model.safetensors")
    assert all(torch.equal(tensor, held[name]) for name, tensor in model.state_dict().items())
    assert {tensor.dtype for tensor in kept.values() if tensor.is_floating_point()} == {torch.float16}
    assert {tensor.dtype for tensor in held.values() if tensor.is_floating_point()} == {torch.float32}
    assert not any("lm_head" in name for name in kept), "the tied table is in the file twice"
    frames = [render_shot(SHOTS[0], 0)]
    expected = write_captions(model, processor, frames)
    assert write_captions(loaded.eval(), again, frames) == expected
    written = (out / "README.md").read_text(encoding="utf-8")
    assert "| count | 49 | 50 | 98.0 |" in written
    assert "One thread, 5 CPU minutes" in written
    repeated, _ = train(3, plan, lambda *_: None)
    weights = repeated.state_dict()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_the_tokenizer_knows_every_word_of_the_world(tokenizer: Any) -> None:
    for shot in SHOTS:
        ids = tokenizer(shot.caption)["input_ids"]
        assert tokenizer.decode(ids) == shot.caption
        assert len(ids) <= 1.4 * len(shot.caption.split()) + 4
    assert build_model(tokenizer).config.dialoguellm_world == "demo"
