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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from model.dialogue import Utterance
from model.emotions import LabelWords, answer, answers
from model.errors import WeightsError
from model.plain import plain

Preset = Literal["sound", "paper", "paper-video"]
Speaker = Literal["name", "role", "off"]
Suffix = Literal["off", "career", "sure", "both"]
Messages = tuple[tuple[str, str], ...]
Chat = Callable[[Messages], str]
"""Turns (role, content) pairs into the text that the tokenizer is given, up to where the answer begins."""

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
_INDENT = " " * 12
_SHOTS_START, _SHOTS_END = f"{_INDENT}### Sample:[\n", f"\n{_INDENT}]\n\n"

_CAREER = "This answer is vital to my career, and I greatly value your analysis."
_SURE = "Are you sure that's your final answer? It might be worth taking another look."
_SUFFIXES: dict[Suffix, str] = {"off": "", "career": _CAREER, "sure": _SURE, "both": f"{_CAREER} {_SURE}"}
"""EmotionPrompt's sentences that the paper's code adds to its task (there: both)."""

_MAX_NAME = 80


@dataclass(frozen=True, slots=True)
class Prompt:
    """``messages`` is the chat form without the answer, ``text`` what the tokenizer is given, as it stands."""

    messages: Messages
    text: str


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
    """The prompt for one utterance, given the lines before it (oldest first) and what its video shows.

    ``shots`` are lines shown with their answers, each on its own; ``suffix`` names what is added to the task,
    ``words`` how labels are written.
    ``controls`` are the control tokens of the tokenizer in use, ``chat`` its chat template; without ``chat`` (and
    always for the paper's presets, which have no chat form) the text is the messages' own. CorpusError for a shot
    whose emotion is no label of its corpus.
    """
    lines = _lines([*context, utterance], speaker, controls)
    solved = [(_lines([row], speaker, controls)[0], answer(row.corpus, row.emotion, words)) for row in shots]
    shown, asked = plain(description or "", controls), _SUFFIXES[suffix]
    choices = answers(utterance.corpus, words)
    if preset == "sound":
        messages = _sound(choices, lines, shown, solved, asked)
        return Prompt(messages, chat(messages) if chat else "\n".join(text for _, text in messages) + "\n")
    text = _paper(choices, lines, shown, solved, asked, with_video=preset == "paper-video")
    return Prompt((("user", text),), text)


def without_shots(messages: Messages) -> str:
    """What a prompt says of its own dialogue: equal for equal dialogues, whatever examples stand before them."""
    text = messages[-1][1]
    task, found, rest = text.partition(_SHOTS_START)
    return task + rest.partition(_SHOTS_END)[2] if found else text


def chat_template(tokenizer: Any) -> Chat:
    """The chat form of a transformers tokenizer, up to where the answer begins.

    Where the template has no place for a system message, it is put in front of the user's. Raises WeightsError
    where there is no template (a base model), and on the first use of one that fails.
    """
    if not tokenizer.chat_template:
        raise WeightsError(
            f"{tokenizer.name_or_path}: the tokenizer has no chat template; "
            'take an instruction-tuned model, or set instructions.preset = "paper"'
        )

    def whole(messages: Messages) -> str:
        text = _apply(tokenizer, messages)
        if text is None or messages[0][1] not in text:
            merged = "\n\n".join(content for _, content in messages)
            text = _apply(tokenizer, (("user", merged),))
        if text is None or messages[-1][1] not in text:
            raise WeightsError(f"{tokenizer.name_or_path}: its chat template does not take a user message; mend it")
        return text

    frames: dict[Messages, tuple[str, str] | None] = {}

    def chat(messages: Messages) -> str:
        before, content = messages[:-1], messages[-1][1]
        if before not in frames:
            frames[before] = _frame(whole, before)
        frame = frames[before]
        return whole(messages) if frame is None or content != content.strip() else content.join(frame)

    return chat


def _frame(whole: Chat, before: Messages) -> tuple[str, str] | None:
    """What the template writes around the last message, None where that depends on what the message says.

    Filling in a template costs more than all the rest of a prompt, and the frame is the same from line to line.
    """
    samples = ("<frame>", "A: one?\n[Video: two.]\nB: three, {{ four }} <think>", "assistant user system 1")
    made = [whole((*before, ("user", sample))) for sample in samples]
    head, found, tail = made[0].rpartition(samples[0])
    same = found and all(text == f"{head}{sample}{tail}" for text, sample in zip(made, samples, strict=True))
    return (head, tail) if same else None


def _apply(tokenizer: Any, messages: Messages) -> str | None:
    """The filled-in template, None where it refuses. The date is fixed: a prompt must not change overnight."""
    from jinja2 import TemplateError

    listed = [{"role": role, "content": content} for role, content in messages]
    try:
        text = tokenizer.apply_chat_template(
            listed, tokenize=False, add_generation_prompt=True, enable_thinking=False, date_string="1 Jan 2025"
        )
    except (TemplateError, TypeError, ValueError, KeyError):
        return None
    return str(text)


def _sound(
    choices: Sequence[str], lines: Sequence[str], shown: str, shots: Sequence[tuple[str, str]], suffix: str
) -> Messages:
    *before, last = lines
    video = [f"[Video: {shown}]"] if shown else []
    task = " ".join(filter(None, [_SOUND.format(labels=", ".join(choices)), suffix]))
    if shots:
        task += "\n\nExamples:\n" + "\n".join(f"{line} => {label}" for line, label in shots)
    return (("system", task), ("user", "\n".join([*before, *video, last])))


def _paper(
    choices: Sequence[str],
    lines: Sequence[str],
    shown: str,
    shots: Sequence[tuple[str, str]],
    suffix: str,
    *,
    with_video: bool,
) -> str:
    *before, last = lines
    listed = ", ".join(f"'{name}'" for name in choices)
    task = (_PAPER_VIDEO if with_video else _PAPER).format(labels=listed)
    sections = [("Instruction:", task)]
    if shots:
        solved = [f"Instruction:{line}\n{_INDENT}Input:{label}\n{_INDENT}" for line, label in shots]
        sections.append(("Sample:[", "".join([*solved, "]"])))
    if with_video and shown:
        sections.append(("Video Description:", shown))
    if before:
        sections.append(("Context:", "\n".join(before)))
    sections += [("Input:", last), ("Response:", "")]
    head = _PAPER_TASK + suffix  # the released code has no space between them
    return f"{head}\n" + "\n\n".join(f"{_INDENT}### {title}\n{_INDENT}{body}" for title, body in sections)


def _lines(rows: Sequence[Utterance], speaker: Speaker, controls: Sequence[str]) -> list[str]:
    """Each row as one line of ordinary text, its speaker first."""
    names = _names(rows, speaker, controls)
    return [f"{name}{plain(row.text, controls)}" for row, name in zip(rows, names, strict=True)]


def _names(rows: Sequence[Utterance], speaker: Speaker, controls: Sequence[str]) -> list[str]:
    """The start of each line: "Monica: ", or "A: " by order of appearance, or nothing."""
    if speaker == "off":
        return [""] * len(rows)
    if speaker == "name":
        return [f"{plain(row.speaker[:_MAX_NAME], controls)}: " for row in rows]
    order = list(dict.fromkeys(row.speaker for row in rows))
    return [f"{_letter(order.index(row.speaker))}: " for row in rows]


def _letter(index: int) -> str:
    return chr(ord("A") + index) if index < 26 else f"A{index}"
