from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.caption_quality import Limits, Quality, fault_of, likeness, quality_of
from model.caption_text import clean

OTHER_LANGUAGES = [
    "Eine Frau mit roten Haaren sitzt auf einem Sofa und schaut nach links, während ein Mann hinter ihr steht.",
    "Une femme aux cheveux roux est assise sur un canapé et regarde vers la gauche.",
    "Una mujer de pelo rojo está sentada en un sofá y mira hacia la izquierda.",
    "Una donna con i capelli rossi è seduta su un divano e guarda a sinistra, mentre un uomo è in piedi.",
    "Uma mulher de cabelo ruivo está sentada no sofá e olha para a esquerda.",
    "Een vrouw met rood haar zit op een bank in de kamer en kijkt naar links, terwijl een man achter haar staat.",
    "En kvinna med rött hår sitter i en soffa och tittar åt vänster, medan en man står bakom henne.",
    "Kobieta z rudymi włosami siedzi na kanapie i patrzy w lewo, a mężczyzna stoi za nią.",
    "Kızıl saçlı bir kadın koltukta oturuyor ve sola bakıyor, arkasında bir adam ayakta duruyor.",
    "Một người phụ nữ tóc đỏ đang ngồi trên ghế sofa và nhìn sang trái.",
    "Женщина с рыжими волосами сидит на диване.",
    "一位红发女子坐在沙发上,向左看。",
    "赤い髪の女性がソファに座って左を見ている。",
    "빨간 머리의 여자가 소파에 앉아 있다.",
    "امرأة ذات شعر أحمر تجلس على الأريكة",
    "लाल बालों वाली एक महिला सोफे पर बैठी है",
]


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
        ("joy", "label_only"),
        ("answer: joy", "label_only"),
        ('{"label": "frustrated"}', "label_only"),
        ("The emotion is surprise.", "label_only"),
        ("Happy. A man sits in a kitchen and looks at the window behind him.", None),
        ("A happy man", None),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("I cannot describe people in this video.", "refusal"),
        ("Unfortunately, I am unable to view images.", "refusal"),
        ("I can’t see the images.", "refusal"),
        ("There are no images provided.", "refusal"),
        ("As an AI language model, I see pixels.", "refusal"),
        ("I cannot see any faces in these frames; the room is empty.", None),
        ("A man sits. I cannot describe his mouth, it is hidden.", None),
        ("No people are shown; the street is empty.", None),
        ("Man.", "too_short"),
        ("Man sits", None),
        *((text, "not_english") for text in OTHER_LANGUAGES),
        ("Brows raised, eyes wide, mouth open. Head tilted left. Gaze shifts right, mouth closes.", None),
        ("Café scene: José and Zoë sit near Müller's naïve façade.", None),
    ],
)
def test_fault_of_names_what_is_wrong(text: str, reason: str | None) -> None:
    fault = fault_of(clean(text))
    assert (fault and fault[0]) == reason


@pytest.mark.parametrize(
    ("text", "limits", "reason"),
    [
        ("A woman stands in the kitchen. " * 6, Limits(max_repetition=1), None),
        ("He nods and looks up. He nods and looks up. He sits.", Limits(max_repetition=0.2), "repeating_caption"),
        ("He nods and looks up. He nods and looks up. He sits.", Limits(), None),
        ("I cannot describe people.", Limits(keep_refusals=True), None),
        (OTHER_LANGUAGES[0], Limits(min_english=0), None),
        (OTHER_LANGUAGES[11], Limits(min_english=0), None),
        ("A man sits.", Limits(min_words=4), "too_short"),
        ("A happy man sits, then an angry one.", Limits(max_emotion_words=1), "emotion_words"),
        ("A happy man sits, then a happy woman.", Limits(max_emotion_words=1), None),
        ("A man frowns.", Limits(max_emotion_words=0), None),
    ],
)
def test_limits_are_settings(text: str, limits: Limits, reason: str | None) -> None:
    fault = fault_of(clean(text), limits)
    assert (fault and fault[0]) == reason


def test_measures() -> None:
    assert quality_of("") == Quality(0, 0.0, 0.0, False)
    assert quality_of("A man and a woman sit.") == Quality(6, 0.0, 0.5, False)
    assert quality_of("He's 2 m away, isn't he?").n_words == 5
    assert quality_of("一位红发女子").n_words == 6
    assert quality_of("a b c d e a b c d").repetition == pytest.approx(1 / 6), "one of six runs came before"
    assert quality_of("A man sits. " * 20).repetition == pytest.approx(1 - 3 / 57)
    assert quality_of("I can't describe that.").refusal


def test_likeness_is_the_share_of_common_words() -> None:
    assert likeness("A man sits.", "a man SITS") == 1.0
    assert likeness("A man sits.", "A man stands up.") == pytest.approx(2 / 5)
    assert likeness("A man.", "Two dogs.") == likeness("", "") == 0.0


REASONS = {
    *("empty_caption", "chat_tokens", "label_only", "refusal", "too_short", "repeating_caption", "not_english"),
    "emotion_words",
}


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["a man", "joy", "sorry", "no image", "<s>", "她", "ไทย", "I can't", "[INST]"])).map(
        " ".join
    )
)
def test_any_text_is_measured_and_judged(text: str) -> None:
    found = quality_of(clean(text))
    assert found.n_words >= 0
    assert 0 <= found.repetition <= 1
    assert 0 <= found.english <= 1
    assert likeness(text, text) in (0.0, 1.0)
    fault = fault_of(clean(text), Limits(max_emotion_words=0))
    assert fault is None or (fault[0] in REASONS and fault[1])


def test_hostile_lengths_are_judged_in_no_time() -> None:
    for text in ("i'm " * 500, "no image " * 220, "unfortunately " * 140, "I can not " + "very " * 390, "<" * 2000):
        quality_of(clean(text))
        fault_of(clean(text))
