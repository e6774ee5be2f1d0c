"""The key of a model's server out of a real Prefect secret block."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from pipeline_runs import environment

SCRIPT = """
import json, os
from flows.server_keys import keys_from_blocks
from prefect.blocks.system import Secret
from tasks.captions import CaptionsSettings
from tasks.evaluate_settings import EvaluateSettings

def names():
    return {name: os.environ.get(name) for name in ("ORACLE_KEY", "SEER_KEY", "OTHER_KEY")}

server = {"server": "http://127.0.0.1:1/v1", "model": "org/oracle"}
oracle = EvaluateSettings(**server, method="generate", server_key_env="ORACLE_KEY")
Secret(value="sk-of-the-block").save("oracle-key")
Secret(value="sk-never-used").save("other-key")
os.environ["OTHER_KEY"] = "sk-of-the-environment"
found = []
settings = {
    "evaluate": oracle,
    "captions": CaptionsSettings(**server, server_key_env="SEER_KEY"),
    "calibrate": oracle.model_copy(update={"server_key_env": "OTHER_KEY"}),
}
with keys_from_blocks(settings):
    found.append(names())
found.append(names())
with keys_from_blocks({"evaluate": EvaluateSettings(server_key_env="ORACLE_KEY")}):
    found.append(names())
print(json.dumps(found))
"""


def test_a_block_stands_in_for_a_variable_that_is_not_set(tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stderr
    inside, after, without_server = json.loads(made.stdout.splitlines()[-1])
    other = "sk-of-the-environment"
    assert inside == {"ORACLE_KEY": "sk-of-the-block", "SEER_KEY": None, "OTHER_KEY": other}
    assert after == without_server == {"ORACLE_KEY": None, "SEER_KEY": None, "OTHER_KEY": other}
    assert "ORACLE_KEY" not in os.environ
