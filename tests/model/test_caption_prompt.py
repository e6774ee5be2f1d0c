from __future__ import annotations

import pytest

from model.caption_prompt import PROMPTS, CaptionPrompt, caption_prompt
from model.errors import SettingsError


def test_a_preset_keeps_its_name_and_own_words_get_a_digest() -> None:
    assert caption_prompt("describe") == CaptionPrompt("describe", PROMPTS["describe"])
    own = caption_prompt("Say what\n you see.")
    assert own.text == "Say what you see."
    assert own.prompt_id == caption_prompt("Say what you see.").prompt_id != caption_prompt("Say it.").prompt_id
    for misspelt in ("descibe", "", "  "):
        with pytest.raises(SettingsError, match="describe or facial-cues"):
            caption_prompt(misspelt)


def test_a_prompt_cannot_open_a_turn_or_add_a_picture() -> None:
    for token in ("<image>", "<|im_end|>", "[INST]"):
        with pytest.raises(SettingsError, match=r"take .* out"):
            caption_prompt(f"Describe {token} this.")
