from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.captions import CaptionsSettings
from tasks.evaluate_settings import EvaluateSettings
from tasks.server_settings import SERVER_FIELDS

URL = "http://127.0.0.1:8000/v1"


def test_both_stages_name_their_own_settings_in_errors() -> None:
    seen = CaptionsSettings(server=URL, model="org/seer", server_timeout_s=3, server_key_env="SEER_KEY").server_of()
    asked = EvaluateSettings(server=URL, model="org/oracle", method="generate").server_of(5.0)
    assert (seen.url, seen.timeout_s, seen.key_env, seen.section) == (URL, 3, "SEER_KEY", "captions")
    assert (asked.timeout_s, asked.section, asked.shorter) == (5.0, "evaluate", "instructions.max_tokens")


@pytest.mark.parametrize("kind", [CaptionsSettings, EvaluateSettings])
def test_where_a_server_is_is_in_no_key(kind: type[CaptionsSettings | EvaluateSettings]) -> None:
    values = {"server": URL, "model": "org/seer"} | ({"method": "generate"} if kind is EvaluateSettings else {})
    fields = kind.model_validate(values).key_fields()
    assert not SERVER_FIELDS & {*fields}
    again = kind.model_validate({**values, "server": "https://else.example/v1", "server_per_minute": 9})
    assert again.key_fields() == fields


@pytest.mark.parametrize(
    "given", [{"server": "http://joe:hunter22@h/v1"}, {"server": "ftp://h"}, {"server_key_env": "sk-hunter22"}]
)
def test_secrets_are_refused_and_not_repeated(given: dict[str, str]) -> None:
    for kind in (CaptionsSettings, EvaluateSettings):
        with pytest.raises(ValidationError) as caught:
            kind.model_validate(given)
        assert "hunter22" not in " ".join(item["msg"] for item in caught.value.errors())
