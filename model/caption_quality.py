"""How usable a caption is, by measures that know neither the line's label nor its words."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from model.caption_text import CHAT_TOKEN
from model.emotions import UNIFIED, emotion_words, parse

_ENGLISH_WORDS = """
    about above across after all along also and another are around away back been before behind being below beside
    between both but can down each either every for forward from front had has have her here him his into is it its
    just less like more most near neither next not of off on one onto or other out she side some someone still than
    that the their them then there they this through to together toward towards two up very were what when where which
    while who whose with without
    arm arms body both brows camera chair chin close clothes dark door expression eye eyebrows eyes face faces facing
    frame frames gaze hair hand hands head holding left light lips looking looks man men mouth people person posture
    raised right room scene shirt shoulders sits sitting slightly smile smiles smiling standing stands table teeth
    turned turns wall wearing wide window woman women
"""
"""Words that few other languages write alike: those that hold sentences together, and those of captions."""

_ENGLISH = frozenset(_ENGLISH_WORDS.split())

_JUDGED = 8  # words; fewer may hold none of these and be English all the same
_LABEL_ONLY = 8  # words
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_REFUSAL = re.compile(
    r"""
    ^\W* (?:unfortunately\W+)? (?:
        (?: (?:i['’]?m|i\ am|we['’]?re|we\ are)\ (?:(?:so|very)\ )? )? sorry\b
        | (?:my\ )? apologies\b
        | i\ apologi[sz]e\b
        | i (?:\ can\ ?not | \ can['’]?t | \ won['’]?t | (?:\ a|['’])m\ (?:not\ able|unable)\ to)
          \ (?:\w+\ ){0,2}? (?: access|analy[sz]e|assist|comply|describe|determine|help|identify|process|provide|view
          | see\ (?:any\ |the\ |this\ |these\ )? (?:image|picture|frame|video|clip|photo)s? ) \b
        | (?:there\ (?:is|are|was|were)\ )? no\ (?:image|picture|frame|video|clip|photo)s?
          \ (?:\w+\ ){0,2}? (?:provided|attached|given|shown|available|to\ describe) \b
    )
    | \bas\ an?\ (?:ai|artificial\ intelligence|(?:large\ )?language\ model)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""How models decline: at the beginning, since "… I cannot see his mouth" is honest, or by naming itself a machine."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of one cleaned caption.

    ``n_words`` counts words, letters of scripts without spaces each as one. ``repetition`` is the share (0 to 1) of
    four-word runs that came before, ``english`` the share of words on a list of common English ones. ``refusal``
    says that the model declines to describe.
    """

    n_words: int
    repetition: float
    english: float
    refusal: bool


@dataclass(frozen=True, slots=True)
class Limits:
    """What a caption may be; the defaults refuse only what is clearly broken."""

    min_words: int = 2
    max_repetition: float = 0.5
    min_english: float = 0.1
    max_emotion_words: int | None = None
    keep_refusals: bool = False


def quality_of(text: str) -> Quality:
    words = _words(text)
    english = sum(word in _ENGLISH for word in words) / len(words) if words else 0.0
    return Quality(len(words), _repetition(text.casefold().split()), english, bool(_REFUSAL.search(text)))


LENIENT = Limits()


def fault_of(text: str, limits: Limits = LENIENT) -> tuple[str, str] | None:
    """Reason and detail why a cleaned caption cannot be used, None for a good one.

    Always: ``empty_caption`` (no letters), ``chat_tokens`` (the model went on with another turn, or its template does
    not fit), ``label_only`` (an answer to another question). By ``limits``: ``refusal``, ``too_short``,
    ``repeating_caption`` (also four times the same word in a row; judged from 12 words on), ``not_english`` (also where
    most letters are not Latin; judged from 8 words on), ``emotion_words``.
    """
    if not any(char.isalpha() for char in text):
        return "empty_caption", "the model wrote no words; try another captions.prompt or captions.model"
    if token := CHAT_TOKEN.search(text):
        return "chat_tokens", f"the caption holds {token[0][:40]!r}; captions.model does not fit its chat template"
    found, words, said = quality_of(text), text.casefold().split(), repr(text[:80])
    if found.n_words <= _LABEL_ONLY and any(parse(text, corpus) for corpus in UNIFIED):
        return "label_only", f"the model names a label and describes nothing: {said}; try another captions.prompt"
    if found.refusal and not limits.keep_refusals:
        return "refusal", f"the model declines to describe: {said}; try another captions.prompt or captions.model"
    if found.n_words < limits.min_words:
        return "too_short", f"{said} has fewer words than captions.min_words = {limits.min_words}"
    if limits.max_repetition < 1 and _loops(words, found.repetition, limits.max_repetition):
        return "repeating_caption", f"the model repeats itself: {said}; try another captions.model"
    if limits.min_english > 0 and not _is_english(text, found, limits.min_english):
        return "not_english", f"{said} is no English; try another captions.model, or set captions.min_english = 0"
    named = emotion_words(text)
    if limits.max_emotion_words is not None and len(named) > limits.max_emotion_words:
        return "emotion_words", f"names {', '.join(named)}; captions.max_emotion_words = {limits.max_emotion_words}"
    return None


def likeness(text: str, other: str) -> float:
    """The share (0 to 1) of two captions' different words that both hold (Jaccard's index)."""
    one, two = {*_words(text)}, {*_words(other)}
    return len(one & two) / len(one | two) if one | two else 0.0


def _words(text: str) -> list[str]:
    spaced = _UNSPACED.sub(r" \g<0> ", text.casefold())
    return _WORD.findall(spaced)


def _repetition(words: list[str]) -> float:
    runs = [tuple(words[i : i + 4]) for i in range(len(words) - 3)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def _loops(words: list[str], repetition: float, most: float) -> bool:
    if any(len(set(words[i : i + 4])) == 1 for i in range(len(words) - 3)):
        return True
    return len(words) >= 12 and repetition > most


def _is_english(text: str, found: Quality, least: float) -> bool:
    letters = [char for char in text if char.isalpha()]
    latin = sum(unicodedata.name(char, "").startswith("LATIN") for char in letters)
    if 2 * latin < len(letters):
        return False
    return found.n_words < _JUDGED or found.english >= least
