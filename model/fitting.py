"""Prompts of an exact length: cut where they may be cut, refused where they may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from model import prompt
from model.chat import chat_template
from model.dialogue import Utterance
from model.emotions import LabelWords, answers, labels
from model.errors import SettingsError
from model.packing import encode, encode_prompts
from model.plain import control_tokens

Key = tuple[str, int, int, bool]


class Unfit(Exception):
    """A line that cannot be put to the model; ``reason`` is the fixed word for ``rejects.reason``."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Fitted(NamedTuple):
    """A prompt and what went into it.

    ``first`` is the place of the first line shown, ``words`` how many of the description's, ``cuts`` what was left out.
    """

    prompt: prompt.Prompt
    n_tokens: int
    first: int
    words: int
    cuts: tuple[str, ...]


class _Parts(NamedTuple):
    """How much of what may be cut, in the order in which it is: lines before the last, examples, words."""

    context: int
    shots: int
    description: int


@dataclass
class Fitter:
    """Writes prompts that, with the longest answer of the corpus, are at most ``max_tokens`` long.

    With ``best_shot_last`` examples, which come best first and lose their last ones, are written the other way round.
    Not for two threads at once: a fast tokenizer cannot be shared. Raises SettingsError where the tokenizer's
    own limit is lower, WeightsError where its chat template is missing or broken.
    """

    tokenizer: Any
    preset: prompt.Preset
    speaker: prompt.Speaker
    max_tokens: int
    suffix: prompt.Suffix = "off"
    words: LabelWords = "own"
    best_shot_last: bool = False
    _expected: dict[Key, list[int]] = field(default_factory=dict)
    _rooms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limit = self.tokenizer.model_max_length
        if self.max_tokens > limit:
            raise SettingsError(f"instructions.max_tokens = {self.max_tokens}, but the tokenizer takes {limit} at most")
        controls = control_tokens(self.tokenizer)
        ids = {*self.tokenizer.all_special_ids, *self.tokenizer.convert_tokens_to_ids(list(controls))}
        self._control_ids = ids - {self.tokenizer.unk_token_id}
        chat = chat_template(self.tokenizer) if self.preset == "sound" else None
        self._writer = prompt.Writer(self.preset, self.speaker, self.suffix, controls, chat, self.words)

    def lines(self, speakers: Sequence[str], texts: Sequence[str]) -> prompt.Lines:
        """Lines of dialogues, in order, for the prompts to show."""
        return self._writer.lines(speakers, texts)

    def fit_all(self, lines: prompt.Lines, shown: Sequence[prompt.Shown]) -> list[Fitted | Unfit]:
        """A prompt each, or why there is none; tokenised together, which is what the time goes to.

        What does not fit loses context, oldest line first, then the last examples, then the end of the description,
        word by word. Unfit: ``too_long`` where the line alone does not fit, ``control_tokens`` where text from
        outside would still be read as a control token.
        """
        # a line is a token at least: more of them than tokens need not be looked at
        parts = [_Parts(min(context, self.max_tokens), *more) for context, *more in map(_whole, shown)]
        made = self._make(lines, map(self._part, shown, parts))
        found: list[Fitted | Unfit] = []
        for one, some, built, ids in zip(shown, parts, *made, strict=True):
            try:
                found.append(self._fitted(lines, one, some, built, ids))
            except Unfit as fault:
                found.append(fault)
        return found

    def _fitted(
        self, lines: prompt.Lines, shown: prompt.Shown, parts: _Parts, made: prompt.Prompt, ids: Sequence[int]
    ) -> Fitted:
        room = self._room(shown.corpus)
        if len(ids) > room:
            parts = self._cut(lines, shown, parts, room)
            (made,), (ids,) = self._make(lines, [self._part(shown, parts)])
        if len(ids) > room:
            detail = f"{len(ids)} tokens for the line alone, {room} are allowed; raise instructions.max_tokens"
            raise Unfit("too_long", detail)
        if self._controls_in(ids) != self._clean(shown.corpus, parts):
            raise Unfit("control_tokens", "its text would become a control token of the model; look at its context too")
        whole = _whole(shown)
        cuts = (
            ()
            if parts == whole
            else tuple(
                f"{name}:{all_ - kept}"
                for name, all_, kept in zip(_Parts._fields, whole, parts, strict=True)
                if all_ > kept
            )
        )
        return Fitted(made, len(ids), shown.at - parts.context, parts.description, cuts)

    def _cut(self, lines: prompt.Lines, shown: prompt.Shown, parts: _Parts, room: int) -> _Parts:
        """The parts cut until they fit; all empty where even that is too long."""
        for what in _Parts._fields:

            def fits(n: int, what: str = what, parts: _Parts = parts) -> bool:
                _, (ids,) = self._make(lines, [self._part(shown, parts._replace(**{what: n}))])
                return len(ids) <= room

            number = _most(getattr(parts, what), fits)
            parts = parts._replace(**{what: number})
            if number or fits(0):
                break
        return parts

    def _part(self, shown: prompt.Shown, parts: _Parts) -> prompt.Shown:
        """The same with less: the last lines of the context, the first of all else."""
        shots = shown.shots[: parts.shots]
        return prompt.Shown(
            shown.corpus,
            shown.at - parts.context,
            shown.at,
            " ".join(shown.description.split()[: parts.description]),
            shots[::-1] if self.best_shot_last else shots,
        )

    def _make(self, lines: prompt.Lines, shown: Iterable[prompt.Shown]) -> tuple[list[prompt.Prompt], list[list[int]]]:
        """The prompts and their tokens."""
        made = self._writer.write(lines, shown)
        return list(map(prompt.Prompt, *made)), encode_prompts(self.tokenizer, made.texts)

    def _room(self, corpus: str) -> int:
        """Tokens left for the prompt beside the longest answer."""
        if corpus not in self._rooms:
            longest = max(map(len, encode(self.tokenizer, "", answers(corpus, self.words)).answers))
            self._rooms[corpus] = self.max_tokens - longest
        return self._rooms[corpus]

    def _controls_in(self, ids: Sequence[int]) -> list[int]:
        return sorted(filter(self._control_ids.__contains__, ids))

    def _clean(self, corpus: str, parts: _Parts) -> list[int]:
        """The control tokens of a prompt of the same make-up whose text is harmless."""
        key = (corpus, parts.context, parts.shots, parts.description > 0)
        if key not in self._expected:
            shot = Utterance("x", corpus, "x", "x", 0, "x", "x", "x", labels(corpus)[0])
            lines = self.lines(*[["x"] * (parts.context + 1)] * 2)
            harmless = prompt.Shown(corpus, 0, parts.context, "x" * key[3], (shot,) * parts.shots)
            _, (ids,) = self._make(lines, [harmless])
            self._expected[key] = self._controls_in(ids)
        return self._expected[key]


def _whole(shown: prompt.Shown) -> _Parts:
    return _Parts(shown.at - shown.first, len(shown.shots), len(shown.description.split()))


def _most(n: int, fits: Callable[[int], bool]) -> int:
    """The largest number below ``n`` that fits, 0 where none does; more never fits where less does not."""
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
