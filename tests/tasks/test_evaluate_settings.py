from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from model.generation import Decoding
from tasks.calibrate import CalibrateSettings
from tasks.evaluate_settings import EvaluateSettings

SERVED = {"server": "http://127.0.0.1:8000/v1", "model": "org/oracle", "method": "generate"}


def key(**given: Any) -> dict[str, Any]:
    return EvaluateSettings(**given).key_fields()


def test_the_default_method_has_the_key_that_it_always_had() -> None:
    assert key() == {"untuned": True, "normalise": "sum", "share": 1.0, "seed": 0}
    assert key(num_beams=4, max_new_tokens=9, repetition_penalty=1.15, price_prompt=2.0) == key()
    assert CalibrateSettings().key_fields() == {**key(), "untuned": False, "enabled": False}


def test_a_key_holds_what_plays_a_part() -> None:
    assert key(method="constrained") == {"method": "constrained", "untuned": True, "share": 1.0, "seed": 0}
    assert key(method="constrained", normalise="mean", num_beams=4) == key(method="constrained")
    made = {"method": "generate", "untuned": True, "share": 1.0, "seed": 0}
    assert key(method="generate") == {**made, "max_new_tokens": 16, "num_beams": 1, "repetition_penalty": 1.0}
    assert key(method="generate", num_beams=4) != key(method="generate")
    assert key(**SERVED) == {"method": "generate", "share": 1.0, "seed": 0, "max_new_tokens": 16}
    assert key(**SERVED, num_beams=4, price_prompt=1.0, price_answer=3.0) == key(**SERVED)


def test_decoding_is_greedy_unless_set() -> None:
    assert EvaluateSettings().decoding() == Decoding(16, 1, 1.0)
    assert EvaluateSettings(num_beams=4, repetition_penalty=1.15).decoding() == Decoding(16, 4, 1.15)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"method": "score"}, 'evaluate.method = "generate"'),
        ({"method": "constrained"}, 'evaluate.method = "generate"'),
        ({"model": EvaluateSettings().model}, "the server's name of the model"),
        ({"model": "tuned"}, "its answers go by its name"),
        ({"model": "tfidf_lr"}, "its answers go by its name"),
        ({"model": "gpt+prior"}, "its answers go by its name"),
        ({"model": "gpt+biases"}, "its answers go by its name"),
        ({"model": "two\nlines"}, "printable"),
        ({"model": ""}, "printable"),
        ({"model": "x" * 201}, "printable"),
    ],
)
def test_what_a_server_cannot_do_is_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        EvaluateSettings.model_validate({**SERVED, **given})
