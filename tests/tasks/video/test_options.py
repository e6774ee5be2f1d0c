"""What a decoder is told, and how a frame's method is named."""

from __future__ import annotations

import json
from dataclasses import asdict, fields

from tasks.keyframes import KeyframesSettings
from tasks.video.options import FACES_VERSION, VERSION, Options


def test_the_method_names_algorithm_version_mode_and_what_was_missing() -> None:
    assert Options().describe("fast") == f"best-{VERSION}/fast/nofaces"
    faces = Options(method="uniform", face_model="/a/yunet.onnx")
    assert faces.describe("full") == f"uniform-{VERSION}/full/yunet-{FACES_VERSION}"


def test_options_survive_the_pipe() -> None:
    options = Options(face_model="/a b/é.onnx", timeout_s=1.5, max_line_seconds=float("inf"))
    assert Options(**json.loads(json.dumps(asdict(options)))) == options


def test_the_stage_and_the_decoder_agree_on_every_default() -> None:
    assert KeyframesSettings().options() == Options()
    assert {field.name for field in fields(Options)} <= set(KeyframesSettings.model_fields)
