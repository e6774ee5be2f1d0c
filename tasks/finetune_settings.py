"""The settings of finetune, and the presets that fill them in."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from model import lora, weights
from model.training_group import address
from model.training_plan import BestBy, LossOn
from tasks.stage import StageSettings

Preset = Literal["quick", "sound", "paper", "paper-code"]

_PAPER = {
    "dropout": 0.05,
    "target": "q_proj,v_proj",
    "learning_rate": 3e-4,
    "clip": 1.0,
    "group_by_length": False,
}
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {},
    "sound": {
        **{"r": 16, "alpha": 32, "dropout": 0.05, "target": "all-linear"},
        **{"learning_rate": 3e-4, "schedule": "cosine", "warmup": 0.05, "batch_size": 16},
        **{"epochs": 5, "patience": 2, "keep": "best", "best_by": "weighted_f1", "loss_on": "answer"},
    },
    "paper": {  # Table 2 and section 4.4; the last of ten epochs is what its tables show
        **_PAPER,
        **{"r": 4, "alpha": 16, "weight_decay": 0.1, "beta2": 0.95, "schedule": "cosine", "warmup": 0.0},
        **{"batch_size": 128, "micro_batch": 8, "epochs": 10, "keep": "last", "loss_on": "answer"},
    },
    "paper-code": {  # what the released script does, the loss on the prompt included
        **_PAPER,
        **{"r": 8, "alpha": 64, "weight_decay": 0.0, "beta2": 0.999, "schedule": "linear", "warmup_steps": 100},
        **{"batch_size": 60, "micro_batch": 4, "epochs": 20, "keep": "best", "best_by": "loss", "loss_on": "all"},
    },
}
_OFF = {
    "beta2": 0.95,
    "warmup_steps": None,
    "patience": None,
    "loss_on": "answer",
    "class_weights": "off",
    "logit_adjust": 0.0,
    "speaker_task": 0.0,
    "best_by": "loss",
    "precision": "auto",
    "quantize": "off",
}
"""Values that change nothing: they stay out of the key, so that a result does not get a new one for a new setting."""


class FinetuneSettings(StageSettings):
    """How the adapter is trained."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset(
        {
            "preset",
            "model",
            "micro_batch",
            "threads",
            "checkpoint_every",
            "keep_checkpoints",
            "gradient_checkpointing",
            "processes",
            "hosts",
            "rendezvous",
            "host_timeout",
            "tensorboard",
            "shard_base",
        }
    )

    enabled: bool = True
    """False: nothing is trained and only the untuned model is evaluated."""

    preset: Preset = "quick"
    """Values for what is not set itself (docs/finetune.md). "quick": the defaults below, one pass. "sound": all linear
    layers, the epoch chosen on the dev rows. "paper": the paper's. "paper-code": those of its released code."""

    model: str = weights.DEFAULT
    """The base model: a registered name, a folder, or a hub id org/model@revision. Its identity is in the key."""

    r: int = Field(default=16, ge=1, le=1024)
    """Rank of the adapter."""

    alpha: int = Field(default=32, ge=1)
    """Scale of the adapter: its output is multiplied by alpha / r."""

    dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout on the adapter's input while training."""

    target: lora.Target = "all-linear"
    """Layers that get an adapter: "all-linear", or "q_proj,v_proj" (the paper's)."""

    learning_rate: float = Field(default=1e-3, gt=0, le=1)
    """Peak learning rate of AdamW (first beta 0.9)."""

    beta2: float = Field(default=0.95, ge=0, lt=1)
    """AdamW's second beta."""

    weight_decay: float = Field(default=0.0, ge=0)
    """Decoupled weight decay."""

    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """After the warm-up: a cosine down to 10 %, a line down to 0, or constant."""

    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps over which the learning rate rises from 0."""

    warmup_steps: int | None = Field(default=None, ge=0)
    """Number of those steps; overrides warmup."""

    epochs: int = Field(default=1, ge=1)
    """Passes over the training rows, at most."""

    patience: int | None = Field(default=None, ge=1)
    """Stop after so many epochs without a better score of the dev rows; None: never."""

    max_steps: int | None = Field(default=None, ge=1)
    """Number of optimizer steps; overrides epochs."""

    batch_size: int = Field(default=16, ge=1)
    """Rows per optimizer step."""

    micro_batch: int = Field(default=16, ge=1)
    """Rows computed at a time; less needs less memory and changes the result by rounding and the draws of dropout only.
    Halved once, with a warning, where memory runs out."""

    loss_on: LossOn = "answer"
    """"answer": the loss is that of the answer's tokens. "all": of the prompt's as well (the released code)."""

    class_weights: Literal["off", "balanced"] = "off"
    """"balanced": a row's loss is multiplied by rows / (labels x rows of its label): a corpus's labels count alike."""

    logit_adjust: float = Field(default=0.0, ge=0, le=10)
    """Tau: the loss is that of the right label among its corpus's labels, tau x log of a label's share of the train
    rows added to each score (Menon et al., 2021). 0: off, the loss is that of the answer's tokens."""

    speaker_task: float = Field(default=0.0, ge=0, le=1)
    """Rows added that ask who says the last line, of the names shown, as a share of the train rows; drawn by the seed.
    0: off. Needs prompts that show speakers; not with logit_adjust."""

    clip: float = Field(default=1.0, gt=0)
    """Longest gradient; a longer one is scaled down to it."""

    checkpoint_every: int = Field(default=50, ge=1)
    """Steps between checkpoints; a killed run repeats at most so many."""

    keep_checkpoints: int = Field(default=2, ge=1)
    """How many checkpoints are kept while training, the last ones; and the best adapter beside them."""

    keep: Literal["best", "last"] = "best"
    """Which adapter is kept: that of the epoch whose dev score is the best, or the last. Without dev rows: the last."""

    best_by: BestBy = "loss"
    """The dev score: "loss", the lower the better, or "weighted_f1", the higher the better; the first of equals."""

    group_by_length: bool = True
    """Batches of rows of similar length."""

    precision: lora.Precision = "auto"
    """Numbers of the frozen base: "auto" (float32 on a CPU, bfloat16 on a GPU), "float32" or "bfloat16". The adapter is
    trained in float32 always."""

    gradient_checkpointing: bool = False
    """Keep no activations inside the layers, compute them again for the gradient: same result, less memory, slower."""

    quantize: lora.Quantize = "off"
    """"4bit": hold the base's linear layers as NF4 while training (QLoRA); needs a GPU and `dialoguellm[qlora]`.
    Evaluation and export use the base as it is."""

    max_examples: int | None = Field(default=None, ge=1)
    """Train on a random subset of so many rows, drawn by the seed; for machines that cannot do all."""

    max_dev_examples: int | None = Field(default=None, ge=1)
    """Score a random subset of so many dev rows at the end of each epoch."""

    processes: int = Field(default=1, ge=1, le=64)
    """Processes on each host that share each batch, a GPU each where there are any; changes the result by rounding and
    the draws of dropout only."""

    hosts: int = Field(default=1, ge=1, le=64)
    """Hosts that share the work: the same command on each, with its number from 0 in NODE_RANK (docs/finetune.md)."""

    rendezvous: str | None = None
    """host:port on which host 0 listens while it trains, in a network that is trusted; needed with several hosts."""

    host_timeout: float = Field(default=600, gt=0)
    """Seconds that hosts wait for one another, to begin and at each step."""

    shard_base: bool = False
    """Each process holds only its part of the frozen base (FSDP): for one that no GPU holds. For several processes."""

    threads: int | None = Field(default=None, ge=1)
    """CPU threads of each process; default: as many as torch chooses, shared out."""

    tensorboard: bool = False
    """Write the log as TensorBoard's event files too, in the adapter's folder; needs `dialoguellm[tensorboard]`."""

    seed: int = 0
    """Seed of the subset, the adapter's first numbers, the order of the rows and the dropout."""

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """What is set itself wins over the preset."""
        if not isinstance(values, dict) or not isinstance(values.get("preset"), str):
            return values
        return {**PRESETS.get(values["preset"], {}), **values}

    @field_validator("rendezvous")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is not None:
            address(value)
        return value

    @model_validator(mode="after")
    def _hosts_meet(self) -> FinetuneSettings:
        if self.hosts > 1 and not self.rendezvous:
            raise ValueError("several hosts need rendezvous, the host:port on which host 0 listens")
        return self

    @model_validator(mode="after")
    def _shared_out(self) -> FinetuneSettings:
        if self.shard_base and self.hosts * self.processes == 1:
            raise ValueError("shard_base shares the base out over several processes: set processes or hosts")
        if self.shard_base and self.quantize != "off":
            raise ValueError('shard_base takes a base in plain numbers: set quantize = "off"')
        return self

    @model_validator(mode="after")
    def _one_loss(self) -> FinetuneSettings:
        if self.loss_on == "all" and (self.class_weights != "off" or self.logit_adjust):
            raise ValueError('class_weights and logit_adjust weigh answers: set loss_on = "answer"')
        if self.speaker_task and self.logit_adjust:
            raise ValueError("logit_adjust compares labels, and speaker_task's answers are names: set one of them to 0")
        return self

    def key_fields(self) -> dict[str, Any]:
        """As always, but what is off stays out."""
        fields = super().key_fields()
        if self.keep == "last" and self.patience is None:
            fields.pop("best_by")
        return {name: value for name, value in fields.items() if name not in _OFF or value != _OFF[name]}
