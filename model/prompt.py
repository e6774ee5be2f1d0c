"""The only home of prompt text, used for training and for prediction alike.

    sound         short and clean, in the chat template of the model's own tokenizer
    paper         the template of the paper's released code, byte for byte, its 12 spaces of indentation included
    paper-video   the same with a section for the video description (named in the paper, absent from its code)

The parts that all examples share (the instruction, the labels) come first, so that a batch has one long
common prefix; the line to be labelled comes last. Text from outside is one line of ordinary text (model/plain.py).
So do worked examples ("shots") and a plea for care ("suffix"), where they are wanted. Labels are listed and answered
in the corpus's own words, or in the paper's unified ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from model.chat import Chat, Messages
from model.dialogue import Utterance
from model.emotions import LabelWords, answer, answers
from model.plain import plain, plain_all

Preset = Literal["sound", "paper", "paper-video"]
Speaker = Literal["name", "role", "off"]
Suffix = Literal["off", "career", "sure", "both"]

VERSION = 1
"""To be raised with every change of the text below: it is part of the instructions' key."""

_SOUND = "Name the emotion of the last line of the dialogue. Answer with one word: {labels}."
_PAPER_TASK = (
    "Please perform Classification task. Given the sentence, assign the correct label. "
    "Return label only without any other text."
)
_PAPER = "Given the Context, detect the emotion of the input, and assign an accuracy label from [{labels}]."
_PAPER_VIDEO = (
    "Given the Video Description and Context, detect the emotion of the input, "
    "and assign an accuracy label from [{labels}]."
)
_SPEAKER = "Name the speaker of the last line of the dialogue. Answer with one name: {names}."
_VIDEO = "[Video: "
_INDENT = " " * 12
_SHOTS_START, _SHOTS_END = f"{_INDENT}### Sample:[\n", f"\n{_INDENT}]\n\n"

_CAREER = "This answer is vital to my career, and I greatly value your analysis."
_SURE = "Are you sure that's your final answer? It might be worth taking another look."
_SUFFIXES: dict[Suffix, str] = {"off": "", "career": _CAREER, "sure": _SURE, "both": f"{_CAREER} {_SURE}"}
"""EmotionPrompt's sentences that the paper's code adds to its task (there: both)."""

_MAX_NAME = 80


class Prompt(NamedTuple):
    """``messages`` is the chat form without the answer, ``text`` what the tokenizer is given, as it stands."""

    messages: Messages
    text: str


class Prompts(NamedTuple):
    """Many of them."""

    messages: list[Messages]
    texts: list[str]


class Shown(NamedTuple):
    """What one prompt shows: of some lines those from ``first`` to ``at``, the one to label; and what else it is given.

    ``description`` is what the video shows, "" where there is none. ``shots`` are lines shown with their answers.
    """

    corpus: str
    first: int
    at: int
    description: str = ""
    shots: Sequence[Utterance] = ()


class Lines:
    """Lines of dialogues as ordinary text, made plain once for all the prompts that show them."""

    def __init__(
        self, speakers: Sequence[str], texts: Sequence[str], speaker: Speaker = "name", controls: Sequence[str] = ()
    ) -> None:
        self._speakers, self._roles = speakers, speaker == "role"
        self._lines = plain_all(texts, controls)
        if speaker == "name":
            names = {name: f"{plain(name[:_MAX_NAME], controls)}: " for name in {*speakers}}
            self._lines = [names[name] + text for name, text in zip(speakers, self._lines, strict=True)]

    def shown(self, first: int, last: int) -> list[str]:
        """Those from ``first`` up to ``last`` as they stand together: roles are by order of appearance among them."""
        some = self._lines[first:last]
        if not self._roles:
            return some
        speakers = self._speakers[first:last]
        roles = {name: _letter(place) for place, name in enumerate(dict.fromkeys(speakers))}
        return [f"{roles[name]}: {text}" for name, text in zip(speakers, some, strict=True)]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes prompts of one form: one by one or many together, the text is the same.

    ``suffix`` names what is added to the task, ``words`` how labels are written. ``controls`` are the control tokens
    of the tokenizer in use, ``chat`` its chat template; without ``chat`` (and always for the paper's presets, which
    have no chat form) the text is the messages' own.
    """

    preset: Preset = "sound"
    speaker: Speaker = "name"
    suffix: Suffix = "off"
    controls: Sequence[str] = ()
    chat: Chat | None = None
    words: LabelWords = "own"

    def lines(self, speakers: Sequence[str], texts: Sequence[str]) -> Lines:
        """Lines of dialogues, in order, for the prompts to show."""
        return Lines(speakers, texts, self.speaker, self.controls)

    def write(self, lines: Lines, shown: Iterable[Shown]) -> Prompts:
        """A prompt each. CorpusError for a shot whose emotion is no label of its corpus."""
        made: list[Messages] = []
        texts: list[str] = []
        body, chat = (_sound, self.chat or _as_they_stand) if self.preset == "sound" else (_paper, _content)
        system, start = Messages(), ""
        known: tuple[str, Sequence[Utterance]] | None = None
        for corpus, first, at, description, shots in shown:
            if known is None or known[1] is not shots or known[0] != corpus:  # most prompts have the same start
                known = corpus, shots
                system, start = self._start(corpus, shots)
            video = plain(description, self.controls) if description and self.preset != "paper" else ""
            content = start + body(lines.shown(first, at + 1), video)
            made.append((*system, ("user", content)))
            texts.append(chat(system, content))
        return Prompts(made, texts)

    def _start(self, corpus: str, shots: Sequence[Utterance]) -> tuple[Messages, str]:
        """What stands before the dialogue: messages of their own, or the beginning of the user's."""
        shown = [Lines([row.speaker], [row.text], self.speaker, self.controls).shown(0, 1)[0] for row in shots]
        solved = [(line, answer(row.corpus, row.emotion, self.words)) for line, row in zip(shown, shots, strict=True)]
        choices, suffix = answers(corpus, self.words), _SUFFIXES[self.suffix]
        if self.preset == "sound":
            return (("system", _sound_task(choices, solved, suffix)),), ""
        return (), _paper_task(choices, solved, suffix, with_video=self.preset == "paper-video")


def build(
    utterance: Utterance,
    context: Sequence[Utterance],
    description: str | None,
    *,
    shots: Sequence[Utterance] = (),
    preset: Preset = "sound",
    speaker: Speaker = "name",
    suffix: Suffix = "off",
    words: LabelWords = "own",
    controls: Sequence[str] = (),
    chat: Chat | None = None,
) -> Prompt:
    """One prompt, given the lines before its utterance (oldest first): a Writer's, of these alone."""
    writer, rows = Writer(preset, speaker, suffix, controls, chat, words), [*context, utterance]
    lines = writer.lines([row.speaker for row in rows], [row.text for row in rows])
    (made,) = map(Prompt, *writer.write(lines, [Shown(utterance.corpus, 0, len(context), description or "", shots)]))
    return made


def without_shots(messages: Messages) -> str:
    """What a prompt says of its own dialogue: equal for equal dialogues, whatever examples stand before them."""
    text = messages[-1][1]
    task, found, rest = text.partition(_SHOTS_START)
    return task + rest.partition(_SHOTS_END)[2] if found else text


def ask_speaker(messages: Messages) -> tuple[Messages, str] | None:
    """The dialogue of a "sound" prompt that shows speakers, asked who says its last line; and the answer.

    None where it shows one speaker only. The names to choose from are those shown, in order of the alphabet.
    """
    *before, last = messages[-1][1].split("\n")
    name, _, text = last.partition(": ")
    shown = {line.partition(": ")[0] for line in before if not line.startswith(_VIDEO)} | {name}
    if len(shown) < 2:
        return None
    task = _SPEAKER.format(names=", ".join(sorted(shown)))
    return (("system", task), ("user", "\n".join([*before, f"?: {text}"]))), name


def _sound_task(choices: Sequence[str], shots: Sequence[tuple[str, str]], suffix: str) -> str:
    task = " ".join(filter(None, [_SOUND.format(labels=", ".join(choices)), suffix]))
    if shots:
        task += "\n\nExamples:\n" + "\n".join(f"{line} => {label}" for line, label in shots)
    return task


def _sound(lines: list[str], video: str) -> str:
    if video:
        lines.insert(-1, f"{_VIDEO}{video}]")
    return "\n".join(lines)


def _as_they_stand(before: Messages, content: str) -> str:
    return "\n".join([*(text for _, text in before), content, ""])


def _content(_: Messages, content: str) -> str:
    return content


def _paper_task(choices: Sequence[str], shots: Sequence[tuple[str, str]], suffix: str, *, with_video: bool) -> str:
    listed = ", ".join(f"'{name}'" for name in choices)
    sections = [("Instruction:", (_PAPER_VIDEO if with_video else _PAPER).format(labels=listed))]
    if shots:
        solved = [f"Instruction:{line}\n{_INDENT}Input:{label}\n{_INDENT}" for line, label in shots]
        sections.append(("Sample:[", "".join([*solved, "]"])))
    head = _PAPER_TASK + suffix  # the released code has no space between them
    return f"{head}\n{_sections(sections)}\n\n"


def _paper(lines: Sequence[str], video: str) -> str:
    *before, last = lines
    sections = [("Video Description:", video)] if video else []
    if before:
        sections.append(("Context:", "\n".join(before)))
    return _sections([*sections, ("Input:", last), ("Response:", "")])


def _sections(sections: Sequence[tuple[str, str]]) -> str:
    return "\n\n".join(f"{_INDENT}### {title}\n{_INDENT}{body}" for title, body in sections)


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"A{index}"
