"""Prompts of an exact length: cut where they may be cut, refused where they may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from model import prompt
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


@dataclass(frozen=True, slots=True)
class Asked:
    """An utterance and what its prompt may show: the lines before it (oldest first), a description, examples."""

    utterance: Utterance
    before: Sequence[Utterance] = ()
    description: str = ""
    shots: Sequence[Utterance] = ()


@dataclass(frozen=True, slots=True)
class Fitted:
    """A prompt and what went into it: ``context`` the lines kept, ``words`` how many of the description's."""

    prompt: prompt.Prompt
    n_tokens: int
    context: tuple[Utterance, ...]
    words: int
    cuts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Parts:
    """What may be cut, in the order in which it is."""

    context: tuple[Utterance, ...]
    shots: tuple[Utterance, ...]
    description: tuple[str, ...]

    def only(self, what: str, n: int) -> _Parts:
        """The same with ``n`` items of one part: the last lines of the context, the first of all else."""
        whole = getattr(self, what)
        return replace(self, **{what: whole[len(whole) - n :] if what == "context" else whole[:n]})


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
    _expected: dict[Key, Counter[int]] = field(default_factory=dict)
    _rooms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limit = self.tokenizer.model_max_length
        if self.max_tokens > limit:
            raise SettingsError(f"instructions.max_tokens = {self.max_tokens}, but the tokenizer takes {limit} at most")
        self._controls = control_tokens(self.tokenizer)
        ids = {*self.tokenizer.all_special_ids, *self.tokenizer.convert_tokens_to_ids(list(self._controls))}
        self._control_ids = ids - {self.tokenizer.unk_token_id}
        self._chat = prompt.chat_template(self.tokenizer) if self.preset == "sound" else None

    def fit(self, asked: Asked) -> Fitted:
        """``fit_all`` of one; raises its Unfit."""
        (fitted,) = self.fit_all([asked])
        if isinstance(fitted, Unfit):
            raise fitted
        return fitted

    def fit_all(self, asked: Sequence[Asked]) -> list[Fitted | Unfit]:
        """A prompt each, or why there is none; tokenised together, which is what the time goes to.

        What does not fit loses context, oldest line first, then the last examples, then the end of the description,
        word by word. Unfit: ``too_long`` where the line alone does not fit, ``control_tokens`` where text from
        outside would still be read as a control token.
        """
        # a line is a token at least: more of them than tokens need not be looked at
        parts = [_Parts(tuple(one.before[-self.max_tokens :]), tuple(one.shots), _words(one)) for one in asked]
        built = [self._build(one.utterance, some) for one, some in zip(asked, parts, strict=True)]
        tokens = encode_prompts(self.tokenizer, [made.text for made in built])
        found: list[Fitted | Unfit] = []
        for given in zip(asked, parts, built, tokens, strict=True):
            try:
                found.append(self._fitted(*given))
            except Unfit as fault:
                found.append(fault)
        return found

    def _fitted(self, asked: Asked, parts: _Parts, made: prompt.Prompt, ids: Sequence[int]) -> Fitted:
        utterance, room = asked.utterance, self._room(asked.utterance.corpus)
        if len(ids) > room:
            parts = self._cut(utterance, parts, room)
            made, ids = self._make(utterance, parts)
        if len(ids) > room:
            detail = f"{len(ids)} tokens for the line alone, {room} are allowed; raise instructions.max_tokens"
            raise Unfit("too_long", detail)
        if self._controls_in(ids) != self._clean(utterance.corpus, parts):
            raise Unfit("control_tokens", "its text would become a control token of the model; look at its context too")
        whole = {"context": len(asked.before), "shots": len(asked.shots), "description": len(_words(asked))}
        lost = {what: number - len(getattr(parts, what)) for what, number in whole.items()}
        cuts = tuple(f"{what}:{number}" for what, number in lost.items() if number)
        return Fitted(made, len(ids), parts.context, len(parts.description), cuts)

    def _cut(self, utterance: Utterance, parts: _Parts, room: int) -> _Parts:
        """The parts cut until they fit; all empty where even that is too long."""
        for what in ("context", "shots", "description"):

            def fits(n: int, what: str = what, parts: _Parts = parts) -> bool:
                return len(self._make(utterance, parts.only(what, n))[1]) <= room

            number = _most(len(getattr(parts, what)), fits)
            parts = parts.only(what, number)
            if number or fits(0):
                break
        return parts

    def _make(self, utterance: Utterance, parts: _Parts) -> tuple[prompt.Prompt, Sequence[int]]:
        """The prompt and its tokens."""
        made = self._build(utterance, parts)
        return made, encode_prompts(self.tokenizer, [made.text])[0]

    def _build(self, utterance: Utterance, parts: _Parts) -> prompt.Prompt:
        return prompt.build(
            utterance,
            parts.context,
            " ".join(parts.description),
            shots=parts.shots[::-1] if self.best_shot_last else parts.shots,
            preset=self.preset,
            speaker=self.speaker,
            suffix=self.suffix,
            words=self.words,
            controls=self._controls,
            chat=self._chat,
        )

    def _room(self, corpus: str) -> int:
        """Tokens left for the prompt beside the longest answer."""
        if corpus not in self._rooms:
            longest = max(map(len, encode(self.tokenizer, "", answers(corpus, self.words)).answers))
            self._rooms[corpus] = self.max_tokens - longest
        return self._rooms[corpus]

    def _controls_in(self, ids: Sequence[int]) -> Counter[int]:
        return Counter(token for token in ids if token in self._control_ids)

    def _clean(self, corpus: str, parts: _Parts) -> Counter[int]:
        """The control tokens of a prompt of the same make-up whose text is harmless."""
        key = (corpus, len(parts.context), len(parts.shots), bool(parts.description))
        if key not in self._expected:
            line = Utterance("x", corpus, "x", "x", 0, "x", "x", "x", labels(corpus)[0])
            harmless = _Parts((line,) * len(parts.context), (line,) * len(parts.shots), ("x",) * key[3])
            self._expected[key] = self._controls_in(self._make(line, harmless)[1])
        return self._expected[key]


def _words(asked: Asked) -> tuple[str, ...]:
    return tuple(asked.description.split())


def _most(n: int, fits: Callable[[int], bool]) -> int:
    """The largest number below ``n`` that fits, 0 where none does; more never fits where less does not."""
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
