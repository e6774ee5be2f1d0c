"""The rows that flow between stages: frozen, slotted dataclasses, one per table of the lake.

An utterance id reads ``corpus/split/dialogue/source utterance`` (``meld/test/38/4``). The order inside a dialogue
is ``turn``, contiguous from 0; source ids may have gaps and are never used for ordering. Times are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

SPLITS = ("train", "dev", "test")

FaceBox = tuple[float, float, float, float, float]
"""Left, top, width and height in pixels of the stored picture, and the detector's score (0 to 1)."""

FoundPerson = tuple[int, float, float, float, float, float]
"""The rank of a keyframe, and somebody in it as a FaceBox: the square that would hold the body (model/people.py)."""

FoundObject = tuple[int, str, float, float, float, float, float]
"""The rank of a keyframe, the name of a thing in it (model/objects.py), and where it is, as a FaceBox."""

FaceExpression = tuple[int, int, float, float, float, float, float, float, float]
"""The rank of a keyframe, the place (from 0) of a face in its ``face_boxes``, its scores (model/expressions.py)."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """One spoken line. ``video`` is a path relative to the corpus's video folder, None where there is no video.

    ``start_s``/``end_s`` are the line's times inside ``video``; both None means the whole file.
    ``emotion`` is a label of the corpus's own set (model/emotions.py), lower-case. ``raters`` is what each person
    who rated the line said, where the corpus tells: "E2:neutral", or "E1:anger,frustration".
    """

    utterance_id: str
    corpus: str
    split: str
    dialogue_id: str
    turn: int
    source_utterance_id: str
    speaker: str
    text: str
    emotion: str
    sentiment: str | None = None
    video: str | None = None
    start_s: float | None = None
    end_s: float | None = None
    raters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keyframe:
    """One chosen frame. ``jpeg`` is the encoded picture, ``time_s`` is relative to the start of the utterance.

    ``rank`` counts from 0 in order of time. ``sharpness`` is the variance of the Laplacian of the analysed luma,
    ``novelty`` the mean absolute luma difference (0 to 255) to the keyframe before it (0.0 for the first).
    ``score`` is the selection's for this frame among those of its stretch: at best 1, with a face 1.5; below 0 for one
    chosen for want of a fit one; None where none was needed (uniform). ``suspect``: out of a damaged stretch of the
    file. ``faces`` is a count, None where no detector ran, as ``face_boxes`` is then. ``method`` names the algorithm
    and its version.
    """

    utterance_id: str
    rank: int
    time_s: float
    jpeg: bytes
    width: int
    height: int
    sharpness: float
    novelty: float
    score: float | None
    suspect: bool
    faces: int | None
    face_boxes: tuple[FaceBox, ...] | None
    method: str


@dataclass(frozen=True, slots=True)
class Caption:
    """A description of an utterance's keyframes by a vision-language model, with its provenance and quality.

    ``emotion_words`` lists the emotion words that the text names outright (the leak measure).
    ``seconds`` is the utterance's share of its batch's wall time.
    ``n_words``, ``repetition``, ``english`` and ``refusal`` are as model/caption_quality.py measures them.
    ``like_previous`` is the share (0 to 1) of words that it and the caption before it in the dialogue have in common,
    None where there is none. ``contradiction`` is what speaks against it of the faces that a detector found
    (model/contradiction.py), "none" where nothing does, None without a detector. ``people``, ``expressions`` and
    ``objects`` are what small detectors found in the frames shown, None where nobody looked. ``n_prompt_tokens`` are
    those that the model read for it, pictures' among them, None where nobody counted.
    """

    utterance_id: str
    text: str
    model: str
    revision: str
    prompt_id: str
    n_frames: int
    n_tokens: int
    emotion_words: tuple[str, ...]
    seconds: float
    n_words: int = 0
    repetition: float = 0.0
    english: float = 0.0
    refusal: bool = False
    like_previous: float | None = None
    contradiction: str | None = None
    people: tuple[FoundPerson, ...] | None = None
    expressions: tuple[FaceExpression, ...] | None = None
    objects: tuple[FoundObject, ...] | None = None
    n_prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Instruction:
    """One training or evaluation example.

    ``messages`` is the chat form ((role, content), ...) without the answer; ``prompt`` the exact text given to the
    tokenizer; ``answer`` the label as the model shall write it. ``caption_key`` names the captions used, None
    without a description. ``cuts`` records what was left out to fit the length ("context:2", "description:14").
    """

    utterance_id: str
    variant: str
    messages: tuple[tuple[str, str], ...]
    prompt: str
    answer: str
    n_prompt_tokens: int
    context_ids: tuple[str, ...]
    caption_key: str | None
    cuts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a system says of one utterance. ``predicted`` is None where the answer does not parse: counted wrong.

    ``scores`` maps each label of the corpus to a probability (empty where an answer was generated); ``raw`` is the
    answer as generated (its first 2,000 characters), or the label where labels were scored. ``system`` is "tuned",
    "untuned" or the name of a server's model. The tokens read and written are None where nothing was generated or the
    server does not count.
    """

    utterance_id: str
    system: str
    gold: str
    predicted: str | None
    scores: dict[str, float]
    raw: str
    seconds: float
    n_prompt_tokens: int | None = None
    n_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """One line of the training log. Losses are in nats, ``dev_*`` only where the dev rows were scored.

    ``loss`` is per answer token (per token with ``loss_on = "all"``, per row with ``logit_adjust``), weights included;
    ``dev_loss`` is per answer token, without weights or adjustment. ``tokens`` are those of the rows, ``unique_tokens``
    those computed, a common prefix once. ``memory_mib``: the process's peak so far, on its GPU where it has one.
    """

    step: int
    epoch: float
    loss: float
    learning_rate: float
    gradient_norm: float
    tokens: int
    seconds: float
    dev_loss: float | None = None
    dev_weighted_f1: float | None = None
    unique_tokens: int | None = None
    memory_mib: float | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """One score on one corpus's lines of a split. ``system`` is tuned, untuned, majority, tfidf_lr or a corrected one
    (tuned+prior, tuned+biases); ``label`` is None for scores over all labels.

    ``metric`` is one of accuracy, weighted_f1, macro_f1, precision, recall, f1, support, dialogues, unparsed, confusion
    (``label`` gold, ``predicted`` the other side), of label probabilities ece, brier (0 to 2) and nll (nats), of a
    correction tau, or bias_share and the bias of each label (nats).
    ``value`` is a share in 0..1, or a count. ``low`` and ``high`` bound its 95 % interval (bootstrap over dialogues),
    None where it has none.
    """

    corpus: str
    split: str
    system: str
    metric: str
    label: str | None
    predicted: str | None
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class ReportFile:
    """One file of a run's report: path relative to the report's folder, size and SHA-256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that a stage could not process: never dropped silently, never guessed.

    ``reason`` is a short fixed word (``missing_video``), ``detail`` a sentence that says what to do.
    """

    utterance_id: str
    stage: str
    reason: str
    detail: str


def corpus_of(utterance_id: str) -> str:
    """The corpus named by an utterance id: ``corpus_of("meld/test/38/4") == "meld"``."""
    return utterance_id.split("/")[0]


def split_of(utterance_id: str) -> str:
    """The split named by an utterance id: ``split_of("meld/test/38/4") == "test"``."""
    return utterance_id.split("/")[1]
