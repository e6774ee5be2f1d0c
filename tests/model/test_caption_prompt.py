from __future__ import annotations

import pytest

from model.caption_prompt import LIMITS, PROMPTS, SYSTEM, CaptionPrompt, caption_prompt
from model.caption_text import CHAT_TOKEN
from model.emotions import emotion_words
from model.errors import SettingsError


def test_a_preset_keeps_its_name_and_own_words_get_a_digest() -> None:
    assert caption_prompt("describe") == CaptionPrompt("describe", PROMPTS["describe"], SYSTEM, 160)
    own = caption_prompt("Say what\n you see.")
    assert own.text == "Say what you see."
    assert own.prompt_id == caption_prompt("Say what you see.").prompt_id != caption_prompt("Say it.").prompt_id
    for misspelt in ("descibe", "", "  "):
        with pytest.raises(SettingsError, match="describe, facial-cues, paper-like"):
            caption_prompt(misspelt)


def test_a_prompt_cannot_open_a_turn_or_add_a_picture() -> None:
    for token in ("<image>", "<|im_end|>", "[INST]"):
        with pytest.raises(SettingsError, match=r"take .* out"):
            caption_prompt(f"Describe {token} this.")


def test_every_preset_has_its_limit_and_forbids_to_guess() -> None:
    assert {*PROMPTS} == {*LIMITS} == {"describe", "facial-cues", "paper-like"}
    for text in (SYSTEM, *PROMPTS.values()):
        assert "name or guess an" in text
        assert emotion_words(text) == ()
        assert CHAT_TOKEN.search(text) is None
    assert caption_prompt("Say what you see.").system == ""
