"""vLLM offline in an environment of its own, which need not hold this project: chats in, texts out, as JSON lines.

python benchmarks/captioning/vllm_child.py FOLDER OPTIONS (vLLM's own, as JSON)
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what vLLM prints is no answer
    contiguous_on_a_cpu()
    from vllm import LLM, SamplingParams, __version__

    model = LLM(sys.argv[1], **json.loads(sys.argv[2]))
    print(json.dumps(__version__), file=answers)
    for line in sys.stdin:
        asked = json.loads(line)
        searched = SamplingParams(temperature=0, max_tokens=asked["max_tokens"])
        found = model.chat(asked["chats"], searched, use_tqdm=False)
        print(json.dumps([one.outputs[0].text for one in found]), file=answers)


def contiguous_on_a_cpu() -> None:
    """vLLM's CPU build (0.32) multiplies contiguous rows only; LeViT, the demo's tower, hands it transposed ones.

    Elsewhere nothing is changed."""
    import vllm._custom_ops as operators

    plain: Any = getattr(operators, "onednn_mm", None)
    if plain is not None:
        operators.onednn_mm = lambda handler, rows, bias: plain(handler, rows.contiguous(), bias)


if __name__ == "__main__":
    main()
