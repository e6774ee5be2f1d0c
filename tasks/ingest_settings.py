"""The settings of ingest: one corpus, or several that are joined."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, field_serializer, model_validator

from tasks.corpora.leaks import Rule
from tasks.stage import StageSettings

Column = Literal["split", "dialogue_id", "turn", "speaker", "text", "emotion", "sentiment", "video", "start_s", "end_s"]
CHOICES = frozenset({"file", "labels", "columns", "parts"})
"""Settings that only some corpora have."""
CHOICES_OF = {
    "table": CHOICES - {"parts"},
    **dict.fromkeys(("iemocap", "subtitles"), frozenset({"labels"})),
    "joint": frozenset({"parts"}),
}
TOGETHER = frozenset({"seed", "shard_utterances", "max_rejects", "hang_after_s", "leaks", "parts"})
"""Settings that hold for all parts of a joint corpus, set once."""


class IngestSettings(StageSettings):
    """Which corpus, or which of them together, and how much of it."""

    NOT_IN_KEY: ClassVar[frozenset[str]] = frozenset({"folder", "videos", "file"})

    corpus: Literal["demo", "meld", "emorynlp", "iemocap", "table", "subtitles", "joint"] = "demo"
    """The corpus. "demo" is drawn on the spot, "table" read from ``file``, "joint" made of ``parts``, the others read
    from ``folder``."""

    folder: Path | None = None
    """Where the corpus's transcripts lie (of IEMOCAP the folder IEMOCAP_full_release, of subtitles the one that holds
    train/, dev/ and test/). Moving them changes nothing; other bytes in them make a new result."""

    videos: Path | None = None
    """Where MELD's video folders lie (train_splits, dev_splits_complete, output_repeated_splits_test), or IEMOCAP's
    (Session1 to Session5: the same as ``folder``), or the files that a table names, or those of the subtitles' names
    (in train/, dev/ and test/; may be ``folder``); text only without it."""

    file: Path | None = None
    """The table of a corpus of one's own: CSV, TSV, JSONL or Parquet. Moving it changes nothing; other bytes do."""

    labels: Literal["meld", "emorynlp", "iemocap", "iemocap4", "iemocap8"] | None = None
    """The label set that a table's or subtitles' emotions are from, or IEMOCAP's: "iemocap4" (excited counts as
    happy), "iemocap" (six, if not set) or "iemocap8". A line with another label is rejected."""

    columns: dict[Column, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    """The table's own name of a column, where it is another than ours: ``{text = "Utterance"}``."""

    dialogues: dict[Literal["train", "dev", "test"], Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """How many dialogues of a split to use, drawn by ``seed``; all of them where a split is not named. A larger
    number keeps the dialogues of a smaller one."""

    parts: tuple[IngestSettings, ...] = ()
    """The corpora of "joint", two or more: each a table with the settings of a single corpus. Ids, labels and scores
    stay those of each."""

    leaks: Rule | None = None
    """Train and dev lines that stand in any part's test split (tasks/corpora/leaks.py): "drop" makes them rejects that
    do not count for max_rejects (so for "joint" if not set), "refuse" stops, "keep" lets them be (so otherwise)."""

    seed: int = 0
    """Draws the subset of dialogues, and the demo's pictures and voices."""

    shard_utterances: int = Field(default=128, ge=1)
    """Most utterances in a shard, where dialogues allow it."""

    def has_videos(self) -> bool:
        """Whether this corpus comes with video files; without them keyframes and captions have nothing to do."""
        return self.corpus == "demo" or any(one.videos is not None for one in self.corpora())

    def corpora(self) -> tuple[IngestSettings, ...]:
        """The settings of each corpus on its own; of a single one these."""
        return tuple(part.model_copy(update={"seed": self.seed}) for part in self.parts) or (self,)

    def leak_rule(self) -> Rule:
        return self.leaks or ("drop" if self.corpus == "joint" else "keep")

    def label_set(self) -> str:
        """The name that the utterances' ``corpus`` and ids have, which says what labels there are."""
        if self.corpus in ("table", "subtitles"):
            return f"{self.corpus}-{self.labels}"
        return self.labels or self.corpus

    def key_fields(self) -> dict[str, Any]:
        """As of every stage, but what a corpus has no use for stays out of its key."""
        fields = super().key_fields()
        if self.corpus == "iemocap":
            fields["labels"] = self.label_set()
        fields["parts"] = [self._only_own(part.key_fields()) for part in self.parts]
        if self.leak_rule() == self.model_copy(update={"leaks": None}).leak_rule():
            del fields["leaks"]
        return {name: value for name, value in fields.items() if name not in self._unused()}

    @field_serializer("parts")
    def _without_what_is_set_once(self, parts: tuple[IngestSettings, ...]) -> list[dict[str, Any]]:
        return [self._only_own(part.model_dump(mode="json")) for part in parts]

    @staticmethod
    def _only_own(part: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in part.items() if name not in TOGETHER}

    def _unused(self) -> frozenset[str]:
        return CHOICES - CHOICES_OF.get(self.corpus, frozenset())

    @model_validator(mode="after")
    def _choices_fit_the_corpus(self) -> Self:
        if given := sorted(name for name in self._unused() if getattr(self, name)):
            raise ValueError(f'corpus "{self.corpus}" has no {", ".join(given)}: leave it out')
        if self.corpus == "iemocap" and not self.label_set().startswith("iemocap"):
            raise ValueError('labels: corpus "iemocap" has "iemocap4", "iemocap" and "iemocap8"')
        return self

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.corpus != "joint":
            return self
        if given := sorted(name for name in ("folder", "videos", "dialogues") if getattr(self, name)):
            raise ValueError(f'corpus "joint" is made of parts: {", ".join(given)} goes into one of them')
        if len(self.parts) < 2:
            raise ValueError('corpus "joint" needs two [[ingest.parts]] or more')
        for part in self.parts:
            if part.corpus in ("demo", "joint"):
                raise ValueError(f'"{part.corpus}" cannot be a part of corpus "joint"')
            if given := sorted(TOGETHER & part.model_fields_set):
                raise ValueError(f"{', '.join(given)} holds for all parts: set it under ingest")
        names = [part.label_set() for part in self.parts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two parts are called {', '.join(twice)}: ids would not say whose line is whose")
        return self

    @model_validator(mode="after")
    def _table_has_its_settings(self) -> Self:
        if self.corpus != "table":
            return self
        if self.file is None or self.labels is None:
            raise ValueError('corpus "table" needs file, and labels: "meld", "emorynlp" or "iemocap"')
        if self.folder:
            raise ValueError('corpus "table" is one file: leave out folder')
        if len({self.columns.get(name, name) for name in get_args(Column)}) < len(get_args(Column)):
            raise ValueError("columns gives two of our columns the same name")
        return self

    @model_validator(mode="after")
    def _folders_fit_the_corpus(self) -> Self:
        if self.corpus == "demo" and (self.folder or self.videos):
            raise ValueError('corpus "demo" is drawn on the spot: leave out folder and videos')
        if self.corpus not in ("demo", "table", "joint") and self.folder is None:
            raise ValueError(f'corpus "{self.corpus}" needs folder: where its transcripts lie')
        if self.corpus == "emorynlp" and self.videos:
            raise ValueError('corpus "emorynlp" has no videos: leave out videos')
        if self.corpus == "subtitles" and self.labels is None:
            raise ValueError('corpus "subtitles" needs labels: "meld", "emorynlp" or "iemocap"')
        return self
