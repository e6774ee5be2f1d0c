"""A model's answers to SECEU, kept beside what is reached without reading a story (tasks/seceu_scores.py).

Asked are a base model in this process, a run's tuned model and its base, or a model that a server runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from model import lora, ratings, weights
from model.chat import Messages, chat_template
from model.errors import VideoError
from model.generation import Decoding, Generated, generate
from model.plain import control_tokens
from model.server_answerer import ServerAnswerer
from storage import findings, warehouse
from storage.layout import Layout
from storage.ledger import Record
from tasks.export_model import finished_adapter
from tasks.finetune_settings import FinetuneSettings
from tasks.plan import Run
from tasks.said import LONGEST
from tasks.seceu_scores import controls, distances, rescaled, worth
from tasks.seceu_test import Item, Test
from tasks.server_settings import ServerSettings
from tasks.stage import Progress, no_progress

UNPARSED = "unparsed"
MODEL, CONTROL = "model", "control"

Said = Generated | VideoError


@dataclass(frozen=True, slots=True)
class Options:
    """``examples`` worked ones stand before each story; ``shuffle`` is the seed of another order of the options.
    ``batch_size`` decides no answer on a CPU and is in no key."""

    examples: int = 2
    shuffle: int | None = None
    max_new_tokens: int = 128
    batch_size: int = 8


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is asked: how its rows call it, and what else its answers depend on."""

    system: str
    identity: str
    run_id: str | None = None
    adapter_key: str | None = None


class SeceuServer(ServerSettings):
    """The server whose model is asked, as options of the command."""

    SECTION: ClassVar[str] = ""
    SHORTER: ClassVar[str] = "--max-new-tokens"

    model: str = Field(pattern=r"^\S(.{0,198}\S)?$")


class Questions:
    """A test that is put to one subject after the other; what was found is kept and comes again when asked again."""

    def __init__(
        self,
        layout: Layout,
        test: Test,
        options: Options,
        progress: Progress = no_progress,
        *,
        force: bool = False,
    ) -> None:
        self._layout, self._options, self._progress, self._force = layout, options, progress, force
        self._test = test if options.shuffle is None else test.shuffled(options.shuffle)

    def of_model(self, name: str) -> list[Record]:
        """The scores of a base model, as ``weights.resolve`` knows it. Raises WeightsError."""
        return self._in_process(name, None, [_base(name)])

    def of_run(self, run: Run) -> list[Record]:
        """The scores of a run's tuned model and of its base. Raises WorkspaceError where no adapter is finished."""
        adapter = finished_adapter(run)
        trained = run.settings["finetune"]
        assert isinstance(trained, FinetuneSettings)
        digest = hashlib.sha256((adapter / "adapter_model.safetensors").read_bytes()).hexdigest()
        base = _base(trained.model)
        tuned = Subject(f"{run.run_id}:tuned", f"{base.identity}+{digest}", run.run_id, run.keys["finetune"])
        return self._in_process(trained.model, adapter, [tuned, base])

    def of_server(self, settings: SeceuServer) -> list[Record]:
        """The scores of a server's model. Raises ServerError where it cannot be used at all."""
        subject = Subject(settings.model, f"server:{settings.model}")
        if kept := self._kept(subject):
            return kept
        server = ServerAnswerer(settings.server_of(), settings.model, settings.server_requests)
        chats = [self._chat(item, ()) for item in self._test.items]
        made = server.answer(
            chats, self._options.max_new_tokens, lambda done: self._progress(done, len(chats), "stories")
        )
        return self._keep(subject, made)

    def controls(self) -> list[Record]:
        """The scores of answers that read nothing."""
        nobody = dict.fromkeys(("examples", "model", "run_id", "adapter_key"))
        about = {"measurement": self._test.key, **self._about(), **nobody}
        rows = [
            {**about, "system": name, "kind": CONTROL, "faults": 0, **asdict(found)}
            for name, found in controls(self._test).items()
        ]
        findings.save_seceu(self._layout, self._test.key, rows, [])
        return rows

    def publish(self) -> None:
        """Brings results.duckdb up to date."""
        warehouse.publish(self._layout, [])

    def _in_process(self, name: str, adapter: Path | None, subjects: Sequence[Subject]) -> list[Record]:
        found = {subject: self._kept(subject) for subject in subjects}
        if missing := [subject for subject in subjects if not found[subject]]:
            folder = weights.resolve(name, self._layout.cache, progress=self._progress)
            model, tokenizer = lora.load(folder, adapter)
            controls = control_tokens(tokenizer)
            prompts = [_prompt(tokenizer, self._chat(item, controls)) for item in self._test.items]
            for subject in missing:
                with lora.untuned(model) if adapter and subject.run_id is None else nullcontext():
                    how: dict[str, Any] = {"batch_size": self._options.batch_size, "progress": self._counting()}
                    made = generate(model, tokenizer, prompts, Decoding(self._options.max_new_tokens), **how)
                found[subject] = self._keep(subject, made)
        return [row for subject in subjects for row in found[subject]]

    def _chat(self, item: Item, controls: Sequence[str]) -> Messages:
        return ratings.ask(item.story, item.options, self._options.examples, controls)

    def _counting(self) -> Callable[[int], None]:
        """Is told how many more stories are done."""
        done = 0

        def report(more: int) -> None:
            nonlocal done
            done += more
            self._progress(done, len(self._test.items), "stories")

        return report

    def _kept(self, subject: Subject) -> list[Record]:
        return [] if self._force else findings.seceu_scores(self._layout, self._key(subject))

    def _keep(self, subject: Subject, made: Sequence[Said]) -> list[Record]:
        key = self._key(subject)
        about = {"measurement": key, "system": subject.system}
        asked = list(zip(self._test.items, made, strict=True))
        texts = [(item, one.text) for item, one in asked if isinstance(one, Generated)]
        answers = {item.name: points for item, text in texts if (points := ratings.read(text, item.options))}
        said = [{**about, **self._answer(item, one, answers.get(item.name))} for item, one in asked]
        row = {**about, **self._about(), "kind": MODEL, "model": subject.identity, "run_id": subject.run_id}
        row |= {"adapter_key": subject.adapter_key, "faults": sum(row["fault"] not in (None, UNPARSED) for row in said)}
        row |= asdict(worth(self._test, answers))
        findings.save_seceu(self._layout, key, [row], said)
        return [row]

    def _answer(self, item: Item, one: Said, points: ratings.Points | None) -> Record:
        if isinstance(one, VideoError):
            nothing = dict.fromkeys(("ratings", "total", "distance", "raw", "n_tokens", "seconds"))
            return {"item": item.name, **nothing, "fault": one.reason}
        far = distances(self._test, {item.name: points})[item.name] if points else None
        return {
            "item": item.name,
            "ratings": points and list(rescaled(points)),
            "total": points and sum(points),
            "distance": far,
            "raw": one.text[:LONGEST],
            "n_tokens": one.n_tokens or None,
            "seconds": one.seconds,
            "fault": None if points else UNPARSED,
        }

    def _about(self) -> Record:
        test, options = self._test, self._options
        norms = {"population_mean": test.mean, "population_sd": test.sd}
        return {"test": test.key, "items": len(test.items), **norms, "examples": options.examples}

    def _key(self, subject: Subject) -> str:
        how = [ratings.VERSION, self._options.examples, self._options.max_new_tokens]
        text = json.dumps([how, self._test.key, subject.system, subject.identity])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _base(name: str) -> Subject:
    return Subject(weights.origin(name).name, weights.identity(name))


def _prompt(tokenizer: Any, messages: Messages) -> str:
    if tokenizer.chat_template:
        return chat_template(tokenizer)(messages[:-1], messages[-1][1])
    return "\n\n".join(text for _, text in messages)
