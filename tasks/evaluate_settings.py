"""What a configuration can say of evaluate, and of calibrate, which takes it over."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from model import weights
from model.generation import Decoding
from model.predictor import Normalise
from tasks.corrections import SUFFIXES
from tasks.floors import FLOORS
from tasks.server_settings import SERVER_FIELDS, ServerSettings
from tasks.stage import SECRET

Method = Literal["score", "constrained", "generate"]

OWN_SYSTEMS = ("tuned", "untuned", *FLOORS)
"""Names that no server's model can have: its answers go by its name."""

PRICES = frozenset({"price_prompt", "price_answer"})
_OF_GENERATION = frozenset({"max_new_tokens", "num_beams", "repetition_penalty"})


class EvaluateSettings(ServerSettings):
    """How the test rows are predicted."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = SERVER_FIELDS | PRICES | {"model", "batch_size", "threads"}
    SECTION: ClassVar[str] = "evaluate"
    SHORTER: ClassVar[str] = "instructions.max_tokens"

    enabled: bool = True
    """False: the test split is not opened, and only dev is scored where calibrate is on."""

    model: str = weights.DEFAULT
    """The base model, the same as finetune.model; with evaluate.server the server's name of another model."""

    method: Method = "score"
    """"score": the label that is likeliest as a whole. "constrained": greedy generation in which nothing but a label
    can come. "generate": free generation, read by model/emotions.py; an answer that names no label counts as wrong."""

    max_new_tokens: int = Field(default=16, ge=1, le=1024)
    """With "generate": the longest answer, in tokens."""

    num_beams: int = Field(default=1, ge=1, le=16)
    """With "generate": beams of the search; 1 is greedy. The paper's released code: 4."""

    repetition_penalty: float = Field(default=1.0, gt=0, le=10)
    """With "generate": what scores of tokens said before are divided by; 1 is none. The paper's released code: 1.15."""

    untuned: bool = True
    """Ask the base model without the adapter as well (system "untuned"); always done where nothing was tuned."""

    normalise: Normalise = "sum"
    """With "score". "sum": a label's probability is that of all of its tokens. "mean": their log-probabilities are
    averaged first."""

    share: float = Field(default=1.0, gt=0, le=1)
    """Share of the test dialogues that is predicted, chosen by a digest of their names and the seed; 1.0 is all."""

    batch_size: int = Field(default=16, ge=1)
    """Prompts at a time."""

    threads: int | None = Field(default=None, ge=1)
    """CPU threads; default: as many as torch chooses."""

    seed: int = 0
    """Seed of the choice of dialogues where share is below 1."""

    price_prompt: float | None = Field(default=None, ge=0)
    """What a server's owner asks for a million tokens of prompts, in any currency; see the view answer_costs."""

    price_answer: float | None = Field(default=None, ge=0)
    """The same for a million tokens of answers."""

    def key_fields(self) -> dict[str, Any]:
        """As always; what plays no part in the method stays out, and so does the method that always was."""
        unused = {"score": {"method", *_OF_GENERATION}, "constrained": {"normalise", *_OF_GENERATION}}
        left_out = unused.get(self.method, {"normalise"})
        if self.server:
            left_out = {"normalise", "untuned", "num_beams", "repetition_penalty"}
        return {name: value for name, value in super().key_fields().items() if name not in {*left_out, "enabled"}}

    def decoding(self) -> Decoding:
        """How answers are generated."""
        return Decoding(self.max_new_tokens, self.num_beams, self.repetition_penalty)

    @model_validator(mode="after")
    def _what_a_server_can_do(self) -> Self:
        if self.server is None:
            return self
        if self.method != "generate":
            told = 'a server gives text alone: with evaluate.server set evaluate.method = "generate"'
            raise PydanticCustomError(SECRET, told)
        if self.model == weights.DEFAULT:
            raise PydanticCustomError(
                SECRET, "with evaluate.server set evaluate.model to the server's name of the model"
            )
        if self.model in OWN_SYSTEMS or self.model.endswith(SUFFIXES) or not _is_name(self.model):
            told = (
                f"its answers go by its name: up to 200 printable characters, not {', '.join(OWN_SYSTEMS)}, "
                f"no {' or '.join(SUFFIXES)} at its end"
            )
            raise PydanticCustomError(SECRET, f"evaluate.model: {told}")
        return self


def _is_name(value: str) -> bool:
    return 0 < len(value) <= 200 and value.isprintable() and value == value.strip()
