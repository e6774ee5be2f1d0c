"""What a decoder may answer. A hijacked one may send anything; nothing else than this gets through."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from model.errors import VideoError
from tasks.video.outcome import Chosen
from tasks.video.reasons import ADVICE

LONGEST_SIDE = 4096
MOST_FRAMES = 64
MOST_FACES = 1000
LONGEST_DETAIL = 4000


class NonsenseError(Exception):
    """An answer that no decoder of ours gives."""


class Answer(BaseModel):
    """Base of all answers: exact types, finite numbers, no other keys."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, message: dict[str, Any]) -> Self:
        """The message, checked. Raises NonsenseError, in one line, for one that is none."""
        try:
            return cls.model_validate(message)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            raise NonsenseError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


class Frame(Answer):
    """A keyframe without its picture, which follows as a message of its own."""

    time_s: Annotated[float, Field(ge=0)]
    width: Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
    height: Annotated[int, Field(ge=1, le=LONGEST_SIDE)]
    sharpness: Annotated[float, Field(ge=0)]
    novelty: Annotated[float, Field(ge=0, le=255)]
    score: float | None
    suspect: bool
    faces: int | None
    face_boxes: list[Annotated[list[float], Field(min_length=5, max_length=5)]] | None
    method: Annotated[str, Field(pattern=r"^[a-z0-9/-]{1,60}$")]

    @model_validator(mode="after")
    def _faces_are_in_the_picture(self) -> Self:
        if self.faces != (None if self.face_boxes is None else len(self.face_boxes)):
            raise ValueError("as many faces as boxes")
        if len(self.face_boxes or ()) > MOST_FACES:
            raise ValueError(f"at most {MOST_FACES} faces")
        for x, y, width, height, score in self.face_boxes or ():
            if min(x, y, width, height, score) < 0 or score > 1:
                raise ValueError("a face's box and score are not negative, its score at most 1")
            if x + width > self.width + 0.1 or y + height > self.height + 0.1:  # boxes are rounded to a tenth
                raise ValueError("a face lies in the picture")
        return self

    def chosen(self, jpeg: bytes) -> Chosen:
        if not jpeg.startswith(b"\xff\xd8\xff"):
            raise NonsenseError("a picture that is no JPEG")
        boxes = None if self.face_boxes is None else tuple(tuple(box) for box in self.face_boxes)
        return Chosen(jpeg=jpeg, **{**dict(self), "face_boxes": boxes})


class Frames(Answer):
    """What one stretch gave."""

    frames: Annotated[list[Frame], Field(min_length=1, max_length=MOST_FRAMES)]


class Refusal(Answer):
    """Why a stretch, or the whole file, gives nothing."""

    reason: str
    detail: str

    @field_validator("reason")
    @classmethod
    def _known(cls, reason: str) -> str:
        if reason not in ADVICE:
            raise ValueError("no such reason")
        return reason

    def error(self) -> VideoError:
        half = LONGEST_DETAIL // 2
        short = len(self.detail) <= LONGEST_DETAIL  # else without its middle: what to do stands at the end
        return VideoError(self.reason, self.detail if short else f"{self.detail[:half]}…{self.detail[1 - half :]}")


class Clips(Answer):
    """The answer to a request for frames: one entry a stretch."""

    clips: list[Frames | Refusal]


class Length(Answer):
    """The answer to a request for a length."""

    seconds: Annotated[float, Field(ge=0)] | None
