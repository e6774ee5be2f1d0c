"""What naming a row's label costs: our label scoring beside lm-evaluation-harness and the paper's code, interleaved.

python benchmarks/evaluate.py [--quick] [--data path/to/MELD] [--rows 96] [--cache workspace/cache]

The same model (SmolLM2-135M-Instruct, float32 on the CPU), prompts and machine for all. Prompts are written by the
instructions stage: made-up dialogues with descriptions, or MELD's dev lines without (--data). The harness (pip install
--no-deps lm-eval) does what its multiple_choice tasks do on the HF backend: log-likelihoods of all labels, without end
tokens, by requests of the same batch size as ours. The paper's code generates row by row with 4 beams, a repetition
penalty of 1.15 and up to 256 tokens; here it is let off after 16 (evaluate.max_new_tokens), and once more, cut short,
after as many as the longest label has, the least that it could take. Both are timed on fewer rows and compared by time
a row: CPU time of one thread, which a busy machine disturbs least.

The floor is the arithmetic of the unique tokens alone (a tree of all prompts and labels: what rows have in common once,
however far apart they are) at the speed of this machine's products in the model's own shapes.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import json
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from model import lora, packing, predictor, weights
from model.dialogue import Caption, Utterance
from model.emotions import labels
from model.generation import Decoding, generate
from tasks.ingest import STAGE as INGEST
from tasks.ingest_settings import IngestSettings
from tasks.instructions import STAGE as INSTRUCTIONS
from tasks.instructions import InstructionsSettings
from tasks.stage import Context

LABELS = labels("meld")
PEOPLE = ("Monica", "Ross", "Joey", "Phoebe", "Rachel", "Chandler")
WORDS = ("you", "know", "I", "really", "think", "that", "we", "should", "go", "now", "okay", "what", "tonight", "sorry")
FACES = ("smiling broadly with raised cheeks", "with a calm face", "crying with tears on the cheeks", "looking away")
BATCH = 16


def main() -> None:
    import torch

    options = arguments()
    torch.set_num_threads(1)
    model, tokenizer = lora.load(weights.resolve(weights.DEFAULT, options.cache), device="cpu")
    share, prompts = packing.supported(model), prompts_of(options)
    longest = max(map(len, packing.encode(tokenizer, "x", LABELS).answers))
    few = {"ours": len(prompts), "lm_eval": len(prompts) // 4, "beam": len(prompts) // 8}
    few["beam_cut_short"] = few["beam"]
    ways: dict[str, Callable[[Sequence[str]], Any]] = {
        "ours": lambda part: predictor.score(model, tokenizer, part, LABELS, share=share, batch_size=BATCH),
        "beam": lambda part: beams(model, tokenizer, part, Decoding().max_new_tokens),
        "beam_cut_short": lambda part: beams(model, tokenizer, part, longest),
    }
    if harness := harness_of(model, tokenizer):
        ways["lm_eval"] = lambda part: harness_scores(harness, part)
    times: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, Any] = {name: way(prompts[:1]) for name, way in ways.items()}  # warm
    for _ in range(3 if options.quick else 5):  # interleaved: all see the same noise
        for name, way in ways.items():
            start = time.process_time()
            found[name] = way(prompts[: few[name]])
            times[name].append((time.process_time() - start) / few[name])
            print(f"{name}: {times[name][-1]:.3f} s a row", file=sys.stderr)
    seconds = {name: statistics.median(values) for name, values in times.items()}
    figures = compared(seconds) | floor(model, tokenizer, prompts, seconds["ours"]) | agreement(found, few, share)
    figures |= exact(model, tokenizer, prompts, found["ours"])
    table = Table("figure", "value", title=f"{len(prompts)} prompts, CPU time of one thread")
    for name, value in figures.items():
        table.add_row(name, str(value))
    Console().print(table)
    print(json.dumps(figures))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds")
    parser.add_argument("--rows", type=int, default=96, help="prompts that we score; the others get fewer")
    parser.add_argument("--data", type=Path, help="folder of MELD; its dev lines are used")
    parser.add_argument("--cache", type=Path, default=Path("workspace/cache"), help="where the weights are kept")
    options = parser.parse_args()
    options.rows = min(options.rows, 24) if options.quick else options.rows
    return options


def prompts_of(options: argparse.Namespace) -> list[str]:
    """Prompts as a run writes them, of whole dialogues, in an order drawn by a seed."""
    rng, context = random.Random(7), Context(cache=options.cache, folder=options.cache)
    captions: list[Caption] = []
    if options.data:
        rows = INGEST.run({}, IngestSettings(corpus="meld", folder=options.data), context)
        lines = [row for row in rows if isinstance(row, Utterance) and row.split == "dev"]
    else:
        lines = [line for number in range(options.rows // 8 + 1) for line in dialogue(number, rng)]
        captions = [caption(line, rng) for line in lines]
    rows = INSTRUCTIONS.run({"utterances": lines, "captions": captions}, InstructionsSettings(context=2), context)
    made = [one for item in rows for one in getattr(item, "lists", {"prompt": []})["prompt"]]
    return rng.sample(made, min(options.rows, len(made)))


def dialogue(number: int, rng: random.Random) -> list[Utterance]:
    names = ("meld", "dev", str(number))
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(3, 16))) + rng.choice(".?!") for _ in range(8)]
    return [
        Utterance(f"meld/dev/{number}/{turn}", *names, turn, str(turn), rng.choice(PEOPLE), text, "joy")
        for turn, text in enumerate(texts)
    ]


def caption(line: Utterance, rng: random.Random) -> Caption:
    people = " and ".join(f"a {who} in {rng.choice(('red', 'black'))}, {rng.choice(FACES)}" for who in ("man", "woman"))
    return Caption(line.utterance_id, f"A medium shot in a cafe shows two people: {people}.", "", "", "", 1, 1, (), 0.0)


def beams(model: Any, tokenizer: Any, prompts: Sequence[str], max_new_tokens: int) -> list[str]:
    """The paper's released code: one row at a time."""
    decoding = Decoding(max_new_tokens, num_beams=4, repetition_penalty=1.15)
    return [one.text for one in generate(model, tokenizer, prompts, decoding, batch_size=1)]


def harness_of(model: Any, tokenizer: Any) -> Any:
    if importlib.util.find_spec("lm_eval") is None:
        print("lm-eval is not installed: no figures of it")
        return None
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=model, tokenizer=tokenizer, batch_size=BATCH, backend="causal")


def harness_scores(harness: Any, prompts: Sequence[str]) -> list[int]:
    """The index of the likeliest label of each prompt, by the requests that a multiple_choice task makes."""
    from lm_eval.api.instance import Instance

    requests = [
        Instance("loglikelihood", {}, (prompt, label), index, ("benchmark", number, 1))
        for number, prompt in enumerate(prompts)
        for index, label in enumerate(LABELS)
    ]
    found = [score for score, _ in harness.loglikelihood(requests, disable_tqdm=True)]
    rows = [found[at : at + len(LABELS)] for at in range(0, len(found), len(LABELS))]
    return [row.index(max(row)) for row in rows]


def compared(seconds: dict[str, float]) -> dict[str, Any]:
    """Milliseconds a row, and how many times ours the others take; null where the harness is not installed."""
    ratios = {
        "vs_lm_eval": "lm_eval",
        "vs_row_by_row_beam": "beam",
        "vs_row_by_row_beam_cut_short": "beam_cut_short",
    }
    figures: dict[str, Any] = {
        name: round(seconds[way] / seconds["ours"], 2) if way in seconds else None for name, way in ratios.items()
    }
    return figures | {f"{name}_ms_per_row": round(1000 * value, 1) for name, value in seconds.items()}


def agreement(found: dict[str, Any], few: dict[str, int], share: bool) -> dict[str, Any]:
    """How often the harness, which leaves the end token out, chooses the same label."""
    told = found.get("lm_eval")
    same = [a == b.best for a, b in zip(told or [], found["ours"], strict=False)]
    return {"lm_eval_same_label": round(statistics.mean(same), 3) if same else None, "shared": share, "rows": few}


def exact(model: Any, tokenizer: Any, prompts: Sequence[str], ours: Sequence[Any]) -> dict[str, Any]:
    """Against one row at a time by the model's own forward and cache, each label apart, float64 from the logits on."""
    import torch

    same, furthest = 0, 0.0
    for prompt, one in zip(prompts, ours, strict=False):
        item, sums = packing.encode(tokenizer, prompt, LABELS), []
        with torch.inference_mode():
            head = model(torch.tensor([item.prompt]), use_cache=True, logits_to_keep=1)
            for answer in item.answers:
                cache = copy.deepcopy(head.past_key_values)
                rest = model(torch.tensor([answer[:-1]]), past_key_values=cache).logits[0]
                found = torch.cat([head.logits[0], rest]).double().log_softmax(-1)
                sums.append(float(found[range(len(answer)), list(answer)].sum()))
        same += one.best == sums.index(max(sums))
        furthest = max(furthest, *(abs(a - b) for a, b in zip(one.log_probs, sums, strict=True)))
    return {
        "same_argmax": same / len(prompts),
        "exact_rows": len(prompts),
        "largest_gap_nats": float(f"{furthest:.2g}"),
    }


def floor(model: Any, tokenizer: Any, prompts: Sequence[str], seconds: float) -> dict[str, Any]:
    """The time a row of the unique tokens' arithmetic, how far ours is from it, and what our batches compute again."""
    items = [packing.encode(tokenizer, prompt, LABELS) for prompt in prompts]
    texts = [item.prompt + answer[:-1] for item in items for answer in item.answers]
    unique = len({text[:end] for text in texts for end in range(1, len(text) + 1)})
    order = sorted(items, key=lambda item: len(item.prompt))
    streams = [packing.lay_out(order[at : at + BATCH]) for at in range(0, len(order), BATCH)]
    computed = sum(stream.tokens.shape[1] for stream in streams)
    places = sum(len({place for one in stream.answers for place, _ in one}) for stream in streams)
    linear = sum(p.numel() for name, p in model.named_parameters() if p.dim() == 2 and "embed" not in name)
    head = model.config.vocab_size * model.config.hidden_size
    speed = products_per_second(model)
    least = (unique * linear + places * head) / speed / len(prompts)
    return {
        "vs_floor": round(seconds / least, 2),
        "floor_ms_per_row": round(1000 * least, 1),
        "gflops": round(2 * speed / 1e9, 1),
        "unique_tokens": unique,
        "computed_vs_unique_tokens": round(computed / unique, 3),
        "tokens_if_nothing_were_shared": sum(map(len, texts)),
    }


def products_per_second(model: Any) -> float:
    """Multiplications (with their addition) a second of one layer's products on 1,024 tokens; the median of some."""
    import torch

    layer = model.model.layers[0]
    sizes = [p for p in layer.parameters() if p.dim() == 2]
    inputs = {p.shape[1]: torch.randn(1024, p.shape[1]) for p in sizes}
    times = []
    with torch.inference_mode():
        for _ in range(12):
            start = time.process_time()
            for p in sizes:
                torch.nn.functional.linear(inputs[p.shape[1]], p)
            times.append(time.process_time() - start)
    return 1024 * sum(p.numel() for p in sizes) / statistics.median(times)


if __name__ == "__main__":
    main()
