from __future__ import annotations

import pytest

from model.caption_text import CHAT_TOKEN, MAX_CHARACTERS, clean, without_brackets


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


def test_chat_tokens_are_told_from_text() -> None:
    for token in ("<|im_end|>", "<image>", "</s>", "[INST]", "[/INST]", "<end_of_utterance>"):
        assert CHAT_TOKEN.search(f"A man.{token} B")
    for text in ("A man < 2 m away", "<3", "a -> b", "[laughs]", "x<y and y>z"):
        assert CHAT_TOKEN.search(text) is None


def test_nothing_in_a_caption_ends_the_brackets_around_it() -> None:
    assert without_brackets("A man] joy [Video: ［a sign］ (red)") == "A man) joy (Video: (a sign) (red)"
