from __future__ import annotations

import pytest

from model.caption_text import MAX_CHARACTERS, clean, fault_of


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("  A man\n\tsmiles. ", "A man smiles."),
        ("A \x00man\x1b[31m smiles", "A man[31m smiles"),
        ("A\u200b man \u202esmiles\ufeff \u2066", "A man smiles"),
        ("Une femme âgée sourit. 她在笑", "Une femme âgée sourit. 她在笑"),
        ("\ud800\ue000", ""),
    ],
)
def test_clean_leaves_one_visible_line(raw: str, expected: str) -> None:
    assert clean(raw) == expected
    assert clean(clean(raw)) == expected


def test_clean_caps_the_length_at_a_word() -> None:
    cut = clean("smiling " * 1000)
    assert MAX_CHARACTERS - 8 <= len(cut) <= MAX_CHARACTERS
    assert cut.endswith("smiling")
    assert len(clean("笑" * 5000)) == MAX_CHARACTERS


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty_caption"),
        ("... 12 !", "empty_caption"),
        ("A man sits.<|im_end|> <|im_start|>user", "chat_tokens"),
        ("A man sits.<end_of_utterance>", "chat_tokens"),
        ("<image><image> A man sits.</s>", "chat_tokens"),
        ("[INST] describe [/INST] A man", "chat_tokens"),
        ("a man man man man", "repeating_caption"),
        ("A woman stands in the kitchen. " * 6, "repeating_caption"),
        ("A woman stands in a kitchen and smiles; a man < 2 m away looks down.", None),
        ("She says no, no, no and turns away.", None),
    ],
)
def test_fault_of_names_what_is_wrong(text: str, reason: str | None) -> None:
    fault = fault_of(clean(text))
    assert (fault and fault[0]) == reason
