"""A corpus of many shards: one dialogue of one line each, all with the same short clip."""

from __future__ import annotations

from pathlib import Path

# the demo's captioner knows only the demo's world: what it says here is nonsense, and costs what it always does
CONFIG = """
name = "drift"
model = {model!r}

[ingest]
corpus = "table"
file = {table!r}
videos = {videos!r}
labels = "meld"
shard_utterances = 1

[captions]
force = true
max_rejects = 1.0
"""


def write(folder: Path, model: Path, shards: int) -> Path:
    """Writes it with a configuration of it, whose path is returned; shard i is line i."""
    folder.mkdir(parents=True, exist_ok=True)
    write_clip(folder / "clip.mp4")
    lines = ["split,dialogue_id,turn,speaker,text,emotion,video"]
    for number in range(shards):
        split = ("test", "dev")[number] if number < 2 else "train"
        lines.append(f"{split},{number},0,Ana,This is line {number}.,{('joy', 'anger')[number % 2]},clip.mp4")
    (folder / "lines.csv").write_text("\n".join(lines) + "\n")
    config = folder / "drift.toml"
    config.write_text(CONFIG.format(model=str(model), table=str(folder / "lines.csv"), videos=str(folder)))
    return config


def write_clip(path: Path) -> None:
    """A second of a bright patch that walks over noise."""
    import av
    import numpy as np

    noise = np.random.default_rng(0).integers(60, 120, (180, 320, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
        for at in range(12):
            picture = noise.copy()
            picture[60:120, 20 * at : 20 * at + 60] = 230
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
