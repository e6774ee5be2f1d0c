"""TRL's SFTTrainer on given batches, a step at a time."""

from __future__ import annotations

import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from model.training_plan import Example, TrainOptions


def losses(
    model: Any, tokenizer: Any, parts: Sequence[Sequence[Example]], options: TrainOptions, *, padding_free: bool
) -> Iterator[float]:
    """TRL's losses, a step at a time: its training runs in a thread that waits between two steps."""
    go: queue.Queue[bool] = queue.Queue()
    done: queue.Queue[float | BaseException] = queue.Queue()
    make = trainer_of(model, tokenizer, parts, options, padding_free=padding_free)

    def work() -> None:
        try:
            make(lambda: go.get(), done.put)
        except BaseException as error:
            done.put(error)

    threading.Thread(target=work, daemon=True).start()
    for _ in range(options.max_steps or 0):
        go.put(True)
        found = done.get()
        if isinstance(found, BaseException):
            raise found
        yield found


def trainer_of(
    model: Any, tokenizer: Any, parts: Sequence[Sequence[Example]], options: TrainOptions, *, padding_free: bool
) -> Callable[[Callable[[], Any], Callable[[float], None]], None]:
    """Trains with TRL, calling the first function before each step and the second with its loss after it."""
    import torch
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    def run(before: Callable[[], Any], after: Callable[[float], None]) -> None:
        class Steps(TrainerCallback):  # type: ignore[misc]
            def on_step_begin(self, *_given: Any, **_named: Any) -> None:
                before()

            def on_log(self, _args: Any, _state: Any, _control: Any, logs: Any = None, **_named: Any) -> None:
                if "loss" in (logs or {}):
                    after(float(logs["loss"]))

        items = [example.item for part in parts for example in part]
        data = Dataset.from_dict(
            {
                "input_ids": [[*item.prompt, *item.answers[0]] for item in items],
                "completion_mask": [[0] * len(item.prompt) + [1] * len(item.answers[0]) for item in items],
            }
        )
        with tempfile.TemporaryDirectory() as folder:
            config = SFTConfig(
                output_dir=folder, max_steps=options.max_steps, per_device_train_batch_size=options.micro_batch,
                gradient_accumulation_steps=options.batch_size // options.micro_batch,
                learning_rate=options.learning_rate, lr_scheduler_type="constant", weight_decay=options.weight_decay,
                adam_beta1=0.9, adam_beta2=options.beta2, max_grad_norm=options.clip, optim="adamw_torch",
                completion_only_loss=True, max_length=None, packing=False, padding_free=padding_free,
                gradient_checkpointing=False, bf16=False, use_cpu=not torch.cuda.is_available(),
                train_sampling_strategy="sequential",
                logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True, dataloader_pin_memory=False,
            )  # fmt: skip
            SFTTrainer(
                model=model, args=config, train_dataset=data, processing_class=tokenizer, callbacks=[Steps()]
            ).train()

    return run
