from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from causal_models import WINDOW, build_causal

from model import lora, packing

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.usefixtures("one_thread")

HEAD = "<|im_start|>system\nName the emotion.<|im_end|>\n<|im_start|>user\n"
PROMPTS = [
    f"{HEAD}{line}<|im_end|>\n<|im_start|>assistant\n" for line in ("Ross: No!", "Joey: How are you, dear?", "Hm")
]
ANSWERS = ["neutral", "joy", "sadness", "x"]


@pytest.fixture(params=["tiny_model", "tiny_qwen2"])
def loaded(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    base, tokenizer = lora.load(request.getfixturevalue(request.param), device="cpu")
    model = lora.attach(base, lora.LoraOptions(dropout=0.0), "tiny")
    torch.manual_seed(5)
    for _, parameter in lora.trainable(model):  # an adapter's second factor starts at zero and hides gradients
        torch.nn.init.normal_(parameter, std=0.2)
    return model, tokenizer


def gradients(model: Any, items: list[packing.Item], share: bool) -> tuple[float, list[Any]]:
    model.zero_grad()
    loss = -packing.answer_log_probs(model, items, share=share).sum()
    loss.backward()
    found = [parameter.grad.clone() for _, parameter in lora.trainable(model) if parameter.grad is not None]
    return float(loss.detach()), found


def hf_loss(model: Any, items: list[packing.Item]) -> float:
    """The model's own loss, row by row."""
    total = 0.0
    for item in items:
        (answer,) = item.answers
        labels = [-100] * len(item.prompt) + list(answer)
        found = model(input_ids=torch.tensor([item.prompt + answer]), labels=torch.tensor([labels]))
        total += float(found.loss.detach()) * len(answer)
    return total


def test_loss_and_gradients_are_the_models_own(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    items = [packing.encode(tokenizer, text, [answer]) for text, answer in zip(PROMPTS, ANSWERS, strict=False)]
    assert packing.common_prefix(items) > 10
    shared, shared_grads = gradients(model, items, share=True)
    plain, plain_grads = gradients(model, items, share=False)
    assert shared == pytest.approx(hf_loss(model, items), rel=1e-5)
    assert shared == pytest.approx(plain, rel=1e-5)
    for ours, theirs in zip(shared_grads, plain_grads, strict=True):
        assert float(theirs.norm()) > 0
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-5


def test_branches_of_several_labels_do_not_see_one_another(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    items = [packing.encode(tokenizer, text, ANSWERS) for text in PROMPTS]
    assert len({len(answer) for answer in items[0].answers}) > 1
    with torch.no_grad():
        together = packing.answer_log_probs(model, items)
        alone = [
            packing.answer_log_probs(model, [packing.Item(item.prompt, (answer,))], share=False)
            for item in items
            for answer in item.answers
        ]
    assert torch.allclose(together, torch.cat(alone), rtol=1e-5, atol=1e-5)


def test_rows_without_a_common_prefix_and_of_one_token(loaded: tuple[Any, Any]) -> None:
    model, _ = loaded
    items = [packing.Item((5,), ((7, 8), (9,))), packing.Item((6, 4, 3), ((7,), (8,))), packing.Item((5, 5), ((2,),))]
    assert packing.common_prefix(items) == 0
    with torch.no_grad():
        assert torch.allclose(
            packing.answer_log_probs(model, items),
            packing.answer_log_probs(model, items, share=False),
            rtol=1e-5,
            atol=1e-5,
        )


def test_prefix_leaves_a_token_of_every_prompt() -> None:
    items = [packing.Item((1, 2, 3), ((9,),)), packing.Item((1, 2, 3, 4), ((9,),))]
    assert packing.common_prefix(items) == 2
    assert packing.common_prefix(items[:1] * 2) == 2
    assert packing.common_prefix([packing.Item((1,), ((9,),))]) == 0


def test_supported_is_found_out_by_trying(loaded: tuple[Any, Any]) -> None:
    model, _ = loaded
    assert packing.supported(model)


def test_a_model_whose_attention_is_its_own_is_not_supported(tiny_model: Path) -> None:
    model, _ = lora.load(tiny_model, device="cpu")
    for name, parameter in model.named_parameters():
        if "embed" not in name:
            torch.nn.init.normal_(parameter, std=0.3)
    assert packing.supported(model)
    forward = model.forward
    attention = model.config._attn_implementation = "sdpa"
    model.forward = lambda **given: forward(**{**given, "stream_rows": None})
    assert not packing.supported(model)
    assert model.config._attn_implementation == attention


@pytest.mark.parametrize(
    ("architecture", "shared"),
    [
        *(("GPT2", True), ("GPTNeoX", True), ("Mistral", True), ("Qwen3", True), ("Qwen2Moe", True), ("Phi3", True)),
        *(("Gemma3", True), ("Gemma2", False), ("GPTNeo", False)),
    ],
)
def test_every_family_shares_its_prefix_or_says_that_it_does_not(
    architecture: str, shared: bool, tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Rows within the window and beyond it: the loss is the model's own, and the gradients are those of plain rows."""
    model, tokenizer = lora.load(build_causal(architecture, tiny_model, tmp_path), device="cpu")
    torch.manual_seed(2)
    for parameter in model.parameters():  # as they come they are so small that anything would pass
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=0.15)
    assert packing.supported(model) == shared
    warned = f"{architecture}For" in caplog.text and "rows are computed whole and padded" in caplog.text
    assert warned != shared
    target: Any = "q_proj,v_proj" if architecture == "Qwen2Moe" else "all-linear"
    model = lora.attach(model, lora.LoraOptions(r=2, dropout=0.0, target=target), "tiny")
    for _, parameter in lora.trainable(model):
        torch.nn.init.normal_(parameter, std=0.2)
    for longer in (0, WINDOW):
        texts = [text.replace("Ross", "Ross, oh" * (1 + longer)) for text in PROMPTS]
        items = [packing.encode(tokenizer, text, [answer]) for text, answer in zip(texts, ANSWERS, strict=False)]
        ours, our_gradients = gradients(model, items, share=shared)
        assert ours == pytest.approx(hf_loss(model, items), rel=1e-5)
        plain, plain_gradients = gradients(model, items, share=False)
        assert ours == pytest.approx(plain, rel=1e-5)
        for mine, theirs in zip(our_gradients, plain_gradients, strict=True):
            assert float((mine - theirs).norm()) <= 1e-4 * float(theirs.norm())


@pytest.mark.parametrize("name", ["sliding_window", "attention_chunk_size"])
def test_rows_longer_than_a_window_are_computed_plainly(tiny_model: Path, monkeypatch: Any, name: str) -> None:
    model, _ = lora.load(tiny_model, device="cpu")
    items = [packing.Item((1, 2, 3, 4), ((9,),)), packing.Item((1, 2, 5), ((9, 3),))]
    setattr(model.config, name, 5)
    assert packing.fits_window(model, items)
    setattr(model.config, name, 4)
    assert not packing.fits_window(model, items)
    monkeypatch.setattr(packing, "lay_out", None)
    with torch.no_grad():
        assert packing.answer_log_probs(model, items).shape == (2,)
        assert packing.text_log_probs(model, items).shape == (2,)


def test_encode_puts_the_begin_token_first_where_the_tokenizer_does(tiny_model: Path) -> None:
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    end = tokenizer.eos_token_id
    plain = packing.encode(tokenizer, "Hi", ["joy"])
    assert plain.prompt == tuple(tokenizer("Hi").input_ids)
    assert plain.answers[0] == (*tokenizer("joy").input_ids, end)
    begin = tokenizer.bos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", begin)]
    )
    assert packing.encode(tokenizer, "Hi", ["joy"]).prompt == (begin, *plain.prompt)
    assert packing.encode(tokenizer, "<|im_start|>Hi", ["joy"]).prompt == (begin, *plain.prompt)
    assert packing.encode(tokenizer, "Hi", ["joy"]).answers == plain.answers


TEXTS = ["Ross: Hi", "", "<|im_start|>user\né 👩‍👧<|im_end|>\n", "word " * 300, "\n\n  ", "<|im_"]


@pytest.mark.parametrize("setup", ["plain", "cuts and pads", "splits", "own way"])
def test_prompts_get_the_tokens_that_the_tokenizer_gives_each(tiny_model: Path, setup: str) -> None:
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    class Own(PreTrainedTokenizerFast):  # type: ignore[misc]
        def _encode_plus(self, text: Any, *args: Any, **kwargs: Any) -> Any:
            upper = [one.upper() for one in text] if isinstance(text, list) else text.upper()
            return super()._encode_plus(upper, *args, **kwargs)

    load = Own if setup == "own way" else AutoTokenizer
    tokenizer, same = load.from_pretrained(tiny_model), load.from_pretrained(tiny_model)
    if setup == "cuts and pads":
        tokenizer.backend_tokenizer.enable_truncation(4)
        tokenizer.backend_tokenizer.enable_padding(length=9)
    if setup == "splits":
        tokenizer.split_special_tokens = same.split_special_tokens = True
    wanted = [same(text, add_special_tokens=False).input_ids for text in TEXTS]
    assert packing.encode_prompts(tokenizer, TEXTS) == wanted
    assert packing.encode_prompts(tokenizer, []) == []


def test_the_text_is_the_prompt_and_the_answer(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    items = [packing.encode(tokenizer, text, [answer]) for text, answer in zip(PROMPTS, ANSWERS, strict=False)]
    for some in (items, items[:1], [packing.Item((5,), ((7, 8),)), packing.Item((6, 4, 3), ((7,),))]):
        own = [
            -model(input_ids=ids, labels=ids).loss.detach() * (ids.shape[1] - 1)
            for ids in (torch.tensor([item.prompt + item.answers[0]]) for item in some)
        ]
        for share in (True, False):
            found = packing.text_log_probs(model, some, share=share)
            assert torch.allclose(found.detach(), torch.stack(own), rtol=1e-5)


def test_gradients_of_the_text_are_the_models_own(loaded: tuple[Any, Any]) -> None:
    model, tokenizer = loaded
    items = [packing.encode(tokenizer, text, [answer]) for text, answer in zip(PROMPTS, ANSWERS, strict=False)]
    found = []
    for share in (True, False):
        model.zero_grad()
        packing.text_log_probs(model, items, share=share).sum().backward()
        found.append([parameter.grad.clone() for _, parameter in lora.trainable(model)])
    for ours, theirs in zip(*found, strict=True):
        assert float((ours - theirs).norm() / theirs.norm()) < 1e-5


def merging_tokenizer() -> Any:
    """Letters, with merges across the border of prompt and answer, and labels that begin alike."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    merges = [(":", "j"), (":j", "o"), ("s", "a"), ("sa", "d"), ("sad", "n")]
    words = ["<end>", *"abcdefghijklmnopqrstuvwxyz: ", *("".join(pair) for pair in merges)]
    bpe = models.BPE({word: number for number, word in enumerate(words)}, merges)
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(bpe), eos_token="<end>")


def test_the_border_is_the_same_for_every_label_whatever_the_tokenizer_would_merge(tiny_model: Path) -> None:
    odd = merging_tokenizer()
    labels = ["joy", "sad", "sadness", "s"]
    item = packing.encode(odd, "he is:", labels)
    assert odd("he is:joy").input_ids[: len(item.prompt)] != list(item.prompt)  # joined, the border would move
    for label, ids in zip(labels, item.answers, strict=True):
        assert "".join(odd.convert_ids_to_tokens(item.prompt)) == "he is:"
        assert "".join(odd.convert_ids_to_tokens(ids)) == f"{label}<end>"
        assert packing.encode(odd, "he is:", [label]) == packing.Item(item.prompt, (ids,))
    assert item.answers[1][0] == odd.convert_tokens_to_ids("sad")
    assert item.answers[1][1:] == (odd.eos_token_id,)  # the end token tells "sad" from what begins with it
    model, _ = lora.load(tiny_model, device="cpu")
    with torch.no_grad():
        together = packing.answer_log_probs(model, [item])
        alone = [packing.answer_log_probs(model, [packing.Item(item.prompt, (a,))], share=False) for a in item.answers]
    assert torch.allclose(together, torch.cat(alone), rtol=1e-5)
