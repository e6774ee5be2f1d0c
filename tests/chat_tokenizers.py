"""Small tokenizers with the control tokens and chat templates of families of models, made on the spot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from conftest import CHAT_TEMPLATE, CORPUS

LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m['role'] }}<|end_header_id|>\n\n"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}"
    "{% set rest = messages[1:] %}{% else %}{% set system = '' %}{% set rest = messages %}{% endif %}"
    "{{ bos_token }}[INST] {{ system + rest[0]['content'] }} [/INST]"
)


@dataclass(frozen=True)
class Family:
    """``special`` begins with the begin, end and padding token; ``added`` are no special ones and yet single tokens."""

    special: tuple[str, ...]
    added: tuple[str, ...] = ()
    template: str = CHAT_TEMPLATE


FAMILIES = {
    "smollm2": Family(
        (
            "<|im_start|>",
            "<|im_end|>",
            "<|endoftext|>",
            "<repo_name>",
            "<file_sep>",
            "<jupyter_start>",
            "<empty_output>",
        )
    ),
    "qwen": Family(
        ("<|endoftext|>", "<|im_end|>", "<|im_start|>", "<|vision_start|>", "<|image_pad|>", "<|object_ref_start|>"),
        ("<tool_call>", "</tool_call>", "<think>", "</think>", "<|fim_prefix|>"),
    ),
    "llama3": Family(
        ("<|begin_of_text|>", "<|eot_id|>", "<|finetune_right_pad_id|>", "<|start_header_id|>", "<|end_header_id|>"),
        ("<|python_tag|>",),
        LLAMA3,
    ),
    "llama2": Family(("<s>", "</s>", "<unk>"), ("[INST]", "[/INST]"), LLAMA2),
}


def build(family: Family, folder: Path) -> Path:
    """Writes the tokenizer of a family: byte-level, 512 pieces."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=512, special_tokens=list(family.special), initial_alphabet=alphabet)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in family.added])
    begin, end, pad, *more = family.special
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=begin,
        eos_token=end,
        pad_token=pad,
        additional_special_tokens=more,
        model_max_length=4096,
    )
    fast.chat_template = family.template
    fast.save_pretrained(folder)
    return folder
