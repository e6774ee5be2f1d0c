"""Which dialogues a page of the gallery lists, and the SQL that finds them among a run's lines in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PER_PAGE = 25
"""Dialogues on a page of the list."""

MAX_WORDS = 200
"""Characters of a search, of each kind."""

LINES = """
CREATE TABLE lines AS
SELECT u.*, corpus || '/' || split || '/' || dialogue_id AS dialogue, emotion AS gold,
       c.text AS caption, c.model AS captioner, c.emotion_words, c.contradiction, coalesce(k.frames, 0) AS frames,
       dense_rank() OVER (ORDER BY corpus, split, try_cast(dialogue_id AS BIGINT), dialogue_id) AS place
FROM utterances u LEFT JOIN captions c USING (utterance_id)
LEFT JOIN (SELECT utterance_id, count(*) AS frames FROM keyframes GROUP BY ALL) k USING (utterance_id)
"""

DIALOGUES = """
WITH answered AS (
    SELECT l.*, a.predicted, a.utterance_id IS NOT NULL AS answered,
           a.predicted IS NOT DISTINCT FROM l.gold AS right_now,
           b.utterance_id IS NOT NULL AS compared, b.predicted AS predicted_before,
           b.predicted IS NOT DISTINCT FROM l.gold AS right_before
    FROM lines l
    LEFT JOIN predictions a ON a.utterance_id = l.utterance_id AND a.system = $system
    LEFT JOIN others b ON b.utterance_id = l.utterance_id AND b.system = $system
),
judged AS (
    SELECT *,
           CASE WHEN NOT answered THEN NULL WHEN predicted IS NULL THEN 'unparsed'
                WHEN right_now THEN 'right' ELSE 'wrong' END AS verdict,
           CASE WHEN NOT (answered AND compared) OR predicted IS NOT DISTINCT FROM predicted_before THEN NULL
                WHEN right_now THEN 'gained' WHEN right_before THEN 'lost' ELSE 'moved' END AS change
    FROM answered
),
marked AS (
    SELECT *,
           ($split = '' OR split = $split) AND ($corpus = '' OR corpus = $corpus) AND ($gold = '' OR gold = $gold)
           AND ($predicted = '' OR predicted = $predicted) AND ($speaker = '' OR speaker = $speaker)
           AND ($answer = '' OR verdict = $answer OR ($answer = 'wrong' AND verdict = 'unparsed'))
           AND ($changed = '' OR change = $changed OR ($changed = 'any' AND change IS NOT NULL))
           AND ($words = '' OR contains(lower(text), lower($words)) OR utterance_id = $words OR dialogue = $words)
           AND ($caption = '' OR contains(lower(coalesce(caption, '')), lower($caption))) AS wanted
    FROM judged
),
dialogues AS (
    SELECT dialogue, any_value(place) AS place, count(*) AS lines, count(*) FILTER (wanted) AS found,
           count(*) FILTER (answered) AS answered, count(*) FILTER (verdict IN ('wrong', 'unparsed')) AS wrong,
           count(*) FILTER (change = 'gained') AS gained, count(*) FILTER (change = 'lost') AS lost,
           list(struct_pack(utterance_id, speaker, text, gold, predicted, verdict, change, frames) ORDER BY turn)
               FILTER (wanted) AS rows,
           string_agg(DISTINCT speaker, ', ' ORDER BY speaker) AS speakers
    FROM marked
    GROUP BY dialogue
    HAVING count(*) FILTER (wanted) > 0
)
"""
ORDERS = {
    "corpus": "place",
    "worst": "wrong / greatest(answered, 1) DESC, wrong DESC, place",
    "longest": "lines DESC, place",
}


class Filter(BaseModel):
    """Which dialogues a page lists: those with a line that meets all of it; empty means whatever it is."""

    model_config = ConfigDict(extra="forbid", str_max_length=MAX_WORDS)

    corpus: str = ""
    split: Literal["", "train", "dev", "test"] = ""
    gold: str = ""
    predicted: str = ""
    answer: Literal["", "right", "wrong", "unparsed"] = ""
    speaker: str = ""
    words: str = ""
    caption: str = ""
    changed: Literal["", "any", "gained", "lost", "moved"] = ""
    system: str = ""
    order: Literal["corpus", "worst", "longest"] = "corpus"
    page: int = Field(default=1, ge=1, le=1_000_000)

    def narrowed(self) -> dict[str, str]:
        """What is asked of a line: the fields that are not empty."""
        asked = self.model_dump(exclude={"system", "order", "page"})
        return {name: value for name, value in asked.items() if value}


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of dialogues, and how many dialogues and lines were found in all."""

    dialogues: list[dict[str, Any]]
    total: int
    lines: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.total // PER_PAGE))
