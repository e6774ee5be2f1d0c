"""Second stage of the demo captioner's training: the decoder learns to read the tower's cells aloud.

It starts on simulated cells (the attribute scores that a good tower would give, with noise), which cost no
rendering, and is then fine-tuned on the features of real pictures. The loss counts the caption only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tasks.demo.captioner_data import SIDE, Shot
from tasks.demo.captioner_model import GRID, IMAGE_TOKENS
from tasks.demo.captioner_optimizer import Optimizer
from tasks.demo.captioner_vision import CELL, PICTURE, targets
from tasks.demo.world import describe

SCORES = 2 + sum(map(len, CELL.values())) + sum(map(len, PICTURE.values()))
FRAME_SHARE = (0.3, 0.25, 0.25, 0.2)  # of training prompts with 1, 2, 3, 4 pictures
Example = tuple[Any, list[str]]  # input of ``project``: (B, n, IMAGE_TOKENS, features); captions


def simulate(frames: list[tuple[Shot, int]], rng: np.random.Generator) -> Any:
    """Scores (B, IMAGE_TOKENS, SCORES) as the linear heads of a trained tower would give for ``frames``."""
    import torch

    whole, cells = targets(frames, rng.integers(-8, 9, (len(frames), 2)), SIDE)
    taken = cells[..., 0] == 1
    noise = torch.from_numpy(rng.standard_normal((len(frames), IMAGE_TOKENS, SCORES), dtype=np.float32))
    strength = torch.from_numpy(rng.uniform(3, 9, (len(frames), 1, 1)).astype(np.float32))
    near = _neighbour(cells, rng)
    parts = [torch.stack([~taken, taken], -1).float() * 2 - 1]
    for index, names in enumerate(CELL.values()):
        hot = torch.nn.functional.one_hot(near[..., 1 + index], len(names)).float()
        known = near[..., 0, None].float() * torch.where(taken[..., None], 1.0, 0.5)
        parts.append((hot * 1.4 - 0.4) * known)
    for index, names in enumerate(PICTURE.values()):
        hot = torch.nn.functional.one_hot(whole[:, index], len(names)).float() * 0.8 - 0.2
        parts.append(hot[:, None].expand(-1, IMAGE_TOKENS, -1))
    return torch.cat(parts, -1) * strength + noise * 1.5


def _neighbour(cells: Any, rng: np.random.Generator) -> Any:
    """``cells`` with each person's attributes spilled into one empty neighbouring cell, as towers do."""
    step = int(rng.choice((1, -1, GRID, -GRID)))
    spilled = cells.roll(step, 1)
    return cells.where(cells[..., :1] == 1, spilled)


def seed_projector(projector: Any, heads: Any) -> None:
    """Lets the projector begin as the heads' scores, in the order of ``simulate``; its other units begin unheard."""
    import torch

    names = ["present", *CELL, *PICTURE]
    with torch.no_grad():
        projector.linear_1.weight[:SCORES] = torch.cat([heads[name].weight for name in names])
        projector.linear_1.bias[:SCORES] = torch.cat([heads[name].bias for name in names])
        projector.linear_2.weight[:, SCORES:] = 0


def project_scores(projector: Any, scores: Any) -> Any:
    """What the projector makes of scores: its second layer behind the first layer's activation."""
    hidden = projector.act(scores)
    return hidden @ projector.linear_2.weight[:, :SCORES].T + projector.linear_2.bias


def caption_loss(model: Any, tokenizer: Any, images: Any, captions: Sequence[str]) -> tuple[Any, float]:
    """Mean cross-entropy of the captions after ``images`` (B, tokens, width), and the share of right tokens."""
    import torch

    texts = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in captions]
    longest = max(map(len, texts)) + 2
    ids = torch.full((len(texts), longest), tokenizer.pad_token_id)
    answer = tokenizer.convert_tokens_to_ids("<|answer|>")
    for row, text in enumerate(texts):
        ids[row, : len(text) + 2] = torch.tensor([answer, *text, tokenizer.eos_token_id])
    table = model.get_input_embeddings()
    start = table(torch.full((len(texts), 1), tokenizer.bos_token_id))
    inputs = torch.cat([start, images, table(ids[:, :-1])], 1)
    hidden = model.model.language_model(inputs_embeds=inputs, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[:, -(longest - 1) :]).flatten(0, 1)
    wanted = ids[:, 1:].flatten()
    real = wanted != tokenizer.pad_token_id
    loss = torch.nn.functional.cross_entropy(logits[real], wanted[real])
    return loss, float((logits[real].argmax(-1) == wanted[real]).float().mean())


def captions_of(shots: Sequence[Shot], picked: Sequence[Sequence[int]]) -> list[str]:
    return [describe([shot.scenes[i] for i in frames]) for shot, frames in zip(shots, picked, strict=True)]


def train_language(
    model: Any,
    tokenizer: Any,
    sample: Callable[[int, int, np.random.Generator], Example],
    project: Callable[[Any], Any],
    steps: int,
    rng: np.random.Generator,
    report: Callable[[float, str], None],
    rates: tuple[float, float],
    batch: int = 24,
) -> None:
    """Trains projector and decoder in place; ``sample(batch, pictures, rng)`` gives what ``project`` takes.

    ``rates`` are those of the matrices and of the rest; a step shows about ``batch`` pictures.
    """
    parts = (model.model.multi_modal_projector, model.model.language_model)
    optimizer = Optimizer([pair for part in parts for pair in part.named_parameters()], steps, *rates)
    smooth = 0.0
    model.train()
    for step in range(1, steps + 1):
        pictures = int(rng.choice(4, p=FRAME_SHARE)) + 1
        inputs, captions = sample(max(4, batch // pictures), pictures, rng)
        images = project(inputs).flatten(1, 2)
        loss, right = caption_loss(model, tokenizer, images, captions)
        optimizer.step(loss)
        smooth = 0.98 * smooth + 0.02 * right
        report(step / steps, f"step {step} loss {loss.item():.3f} tokens right {smooth:.3f}")
