"""A small release in IEMOCAP's layout and line formats, with made-up words."""

from __future__ import annotations

from pathlib import Path

HEADING = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
RATERS = (
    "C-E2:\tNeutral;\t()\nC-E3:\tAnger; Frustration;\t()\nC-E4:\tNeutral state;\t(calm)\nC-F1:\tSadness;\t()\n"
    "A-E3:\tval 3; act 2; dom  2;\t()\nA-F1:\tval 3; act 2; dom  1;\t()"
)


def evaluation(name: str, start: float, end: float, code: str = "neu", raters: str = RATERS) -> str:
    return f"\n[{start:.4f} - {end:.4f}]\t{name}\t{code}\t[2.5000, 2.5000, 2.5000]\n{raters}\n"


def transcription(name: str, start: float, end: float, text: str) -> str:
    return f"{name} [{start:08.4f}-{end:08.4f}]: {text}\n"


def write_dialogue(release: Path, name: str, evaluations: str, transcriptions: str) -> None:
    """Both files of a dialogue; a lone surrogate stands for a byte that is no UTF-8."""
    dialog = release / f"Session{int(name[3:5])}" / "dialog"
    for folder, text in (("EmoEvaluation", f"{HEADING}\n{evaluations}"), ("transcriptions", transcriptions)):
        (dialog / folder).mkdir(parents=True, exist_ok=True)
        (dialog / folder / f"{name}.txt").write_bytes(text.encode("utf-8", "surrogateescape"))


def write_release(release: Path, codes: tuple[str, ...] = ("neu", "hap", "exc", "fru")) -> Path:
    """Five sessions of three dialogues, each with a line of each code, in turn by the two actors, a second apiece."""
    for session in range(1, 6):
        for dialogue in ("impro01", "impro05a", "script01_1"):
            name = f"Ses{session:02d}{'FM'[session % 2]}_{dialogue}"
            lines = [(f"{name}_{'FM'[at % 2]}{at // 2:03d}", at + 0.5, at + 1.5, code) for at, code in enumerate(codes)]
            write_dialogue(
                release,
                name,
                "".join(evaluation(*line) for line in reversed(lines)),
                "".join(transcription(*line[:3], f"Line {at}.") for at, line in enumerate(lines)),
            )
        (release / f"Session{session}/dialog/EmoEvaluation/._{name}.txt").write_bytes(b"\x00\x05\x16\x07")
        (release / f"Session{session}/dialog/EmoEvaluation/Categorical").mkdir()
    return release
