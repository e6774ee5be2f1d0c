"""The emotion labels: each corpus's own set, the paper's eleven unified labels, the one parser of answers.

A word belongs to one unified label; a corpus has at most one label for each unified one. So "happy" means
"joy" in MELD and "joyful" in EmoryNLP, and "excited" nothing in MELD: that answer is None, never a guess.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

from model.errors import CorpusError

UNIFIED: dict[str, dict[str, str]] = {
    "meld": {
        "neutral": "neutral",
        "joy": "happiness",
        "sadness": "sadness",
        "anger": "anger",
        "surprise": "surprise",
        "fear": "fear",
        "disgust": "disgust",
    },
    "emorynlp": {
        "neutral": "neutral",
        "joyful": "happiness",
        "peaceful": "peaceful",
        "powerful": "powerful",
        "scared": "fear",
        "mad": "anger",
        "sad": "sadness",
    },
    "iemocap": {
        "happy": "happiness",
        "sad": "sadness",
        "neutral": "neutral",
        "angry": "anger",
        "excited": "excitement",
        "frustrated": "frustration",
    },
}
"""Corpus to {its label: the paper's unified label} (section 3.3, Figure 4), in the corpus's usual order."""
UNIFIED["demo"] = UNIFIED["meld"]
UNIFIED["iemocap4"] = {label: UNIFIED["iemocap"][label] for label in ("happy", "sad", "neutral", "angry")}
UNIFIED["iemocap8"] = {**UNIFIED["iemocap"], "surprised": "surprise", "fearful": "fear"}
UNIFIED |= {  # a corpus of one's own, by its form and its label set
    f"{form}-{name}": names for name, names in UNIFIED.items() for form in ("table", "subtitles")
}

LabelWords = Literal["own", "unified"]
"""How labels are written to a model: in the corpus's own words, or in the paper's, the same for every corpus."""

UNIFIED_LABELS = (
    *("peaceful", "powerful", "disgust", "frustration", "neutral", "happiness"),
    *("sadness", "anger", "fear", "excitement", "surprise"),
)

_SYNONYMS = {
    "neutral": "neutral",
    "happiness": "happiness happy joy joyful joyous",
    "sadness": "sadness sad sorrow sorrowful unhappy unhappiness",
    "anger": "anger angry mad furious",
    "surprise": "surprise surprised astonished astonishment",
    "fear": "fear fearful scared afraid frightened terrified",
    "disgust": "disgust disgusted",
    "peaceful": "peaceful peace",
    "powerful": "powerful",
    "excitement": "excitement excited",
    "frustration": "frustration frustrated",
}
_LOOSE_WORDS = """
    happily cheerful cheerfully cheer glad delighted delight pleased joyfully elated amused amusement content
    sadly upset depressed gloomy miserable grief grieving heartbroken distressed dejected sorrowfully
    angrily annoyed annoyance irritated irritation enraged rage outraged fury hostile
    surprising shocked shock amazed amazement startled stunned
    fearfully scary anxious anxiety nervous nervously worried worry panic panicked terror horrified
    disgusting repulsed revolted revulsion
    peacefully relaxed serene proud confident
    excitedly thrilled enthusiastic eager frustrating
"""
"""Words that a caption may name a feeling by but that are too loose to be an answer."""

_MEANING = {word: unified for unified, words in _SYNONYMS.items() for word in words.split()}
_EMOTION_WORDS = frozenset(_MEANING) | frozenset(_LOOSE_WORDS.split())
_FILLER_WORDS = """
    a an the this that is it its of to i think would be am emotion emotions emotional label labels answer
    response output class category tone feeling feelings feels felt expression expresses expressed expressing
    conveys shows showing detected correct speaker speaker's utterance line sentence target input text person
"""
_FILLERS = frozenset(_FILLER_WORDS.split())
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_TAGS = "b i u p em strong span div code pre br li ul ol h1 h2 h3 h4 answer label emotion response"
_TAG = re.compile(rf"</?(?:{_TAGS.replace(' ', '|')})(?:\s[^<>]{{0,80}})?/?>|\\(?:boxed|text|textbf)\b")
_MARKERS = re.compile(r"^[\W\d_]+")
_GROUP_END = re.compile(r"[.!?;(\n]|\s[-–—]\s|\b(?:because|since|as|due)\b")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
"""Of any script: what is no Latin word ("не joy") is a word too, and not one that is known."""
_MAX_ANSWER = 300


def labels(corpus: str) -> tuple[str, ...]:
    """The label set of ``corpus`` in its fixed order. CorpusError for a corpus that has none."""
    return tuple(_mapping(corpus))


def unified(corpus: str, label: str) -> str:
    """The paper's unified label of a corpus's label: ``unified("emorynlp", "mad") == "anger"``."""
    return answer(corpus, label, "unified")


def answer(corpus: str, label: str, words: LabelWords = "own") -> str:
    """How ``label`` is written as the model's answer: ``parse`` finds it again. CorpusError outside the set."""
    if label not in _mapping(corpus):
        raise CorpusError(f"{label!r} is not a label of {corpus}; its labels are {', '.join(labels(corpus))}")
    return _mapping(corpus)[label] if words == "unified" else label


def answers(corpus: str, words: LabelWords = "own") -> tuple[str, ...]:
    """The label set of ``corpus`` as it is written to the model, in the order of ``labels``."""
    return tuple(answer(corpus, label, words) for label in labels(corpus))


def parse(text: str, corpus: str) -> str | None:
    """The label of ``corpus`` that an answer names, or None.

    Only the first word group of the first line counts, up to its first sentence end, bracket, dash or reason. Markup
    ("**joy**", "<b>joy</b>", "\\boxed{joy}") does not matter, nor a thought before it ("<think>…</think>").
    It may hold one emotion (a synonym or an inflection will do) and words such as "the emotion is". Two
    emotions, one outside the corpus's set, or any other word ("not", a line of dialogue) make it None.
    """
    by_unified = {name: label for label, name in _mapping(corpus).items()}
    words = _WORD.findall(_first_group(text))
    named = {_MEANING[word] for word in words if word in _MEANING}
    if len(named) != 1 or any(word not in _MEANING and word not in _FILLERS for word in words):
        return None
    return by_unified.get(named.pop())


def emotion_words(text: str) -> tuple[str, ...]:
    """The emotion words that ``text`` names outright, lower-case, each once, in order of appearance.

    Whole words from a fixed list, whatever they describe ("an angry red" counts): an upper bound of what a
    caption gives away.
    """
    return tuple(dict.fromkeys(word for word in _WORD.findall(_plain(text)) if word in _EMOTION_WORDS))


def _mapping(corpus: str) -> dict[str, str]:
    if corpus not in UNIFIED:
        raise CorpusError(f"no label set for the corpus {corpus!r}; known are {', '.join(sorted(UNIFIED))}")
    return UNIFIED[corpus]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("’", "'").casefold()


def _first_group(text: str) -> str:
    start = _MARKERS.sub("", _TAG.sub("", _plain(_THOUGHT.sub("", text)[:_MAX_ANSWER])))
    return _GROUP_END.split(start, maxsplit=1)[0]
