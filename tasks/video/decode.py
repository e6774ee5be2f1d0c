"""Decodes one video front to back: pictures with their times, damaged stretches marked.

Packets are decoded one by one, so that a damaged one costs itself and not the file. From the first damage to the next
intact key frame every picture is ``suspect``, because pictures are predicted from damaged ones.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tasks.video.open import Video
from tasks.video.reasons import refuse

BARREN_PACKETS = 50_000
"""So many in a row without a picture end the file: half an hour of television, or a second of crafted packets."""

SEEK_GAIN_S = 4.0
"""A seek must jump at least this far, or decoding on is as cheap."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame. ``time_s`` counts from the start of the video stream."""

    time_s: float
    frame: Any
    suspect: bool


class Decoder:
    """One forward pass over ``video``. With ``fast``, frames that no other frame needs are never decoded.

    ``broken`` turns true once the file proves damaged. Memory: one packet and the decoder's own references.
    """

    def __init__(self, video: Video, fast: bool) -> None:
        self._video = video
        self._codec = video.stream.codec_context
        self._codec.skip_frame = "NONREF" if fast else "DEFAULT"
        self._tick_s = float(video.stream.time_base)
        self._damaged = False
        self._keys: list[int] | None = None
        self._sought: int | None = None
        self._count = self._bytes = self._barren = 0
        self.time_s = 0.0
        self.broken = False

    def pictures(self) -> Iterator[Picture]:
        """Pictures in order of presentation, each later than the one before; other times are left out."""
        last = float("-inf")
        for packet in self._packets():
            frames = self._frames(packet)
            self._barren = 0 if frames else self._barren + 1
            for frame in frames:
                time_s = self._time(frame)
                if time_s is None or time_s <= last:
                    continue
                last = self.time_s = time_s
                yield Picture(time_s, frame, self._taint(frame))

    def skip_to(self, time_s: float) -> bool:
        """Jumps to an indexed key frame at or before ``time_s`` where that saves decoding; True if it did.

        Once for each time: where a container's index is off, a jump may land earlier than it promised.
        """
        import av

        stream = self._video.stream
        if self._keys is None:
            self._keys = sorted(e.timestamp for e in stream.index_entries if e.is_keyframe and not e.is_discard)
        target = self._ticks(time_s)
        at = bisect.bisect_right(self._keys, target) - 1
        if target == self._sought or at < 0 or self._keys[at] <= self._ticks(self.time_s + SEEK_GAIN_S):
            return False
        self._sought = target
        try:
            self._video.container.seek(target, stream=stream, backward=True)
        except av.FFmpegError:  # an index that points nowhere: decoding on finds out
            return False
        return True

    def _ticks(self, time_s: float) -> int:
        return int((time_s + self._video.start_s) / self._tick_s)

    def _packets(self) -> Iterator[Any]:
        """Packets, then None: the decoder shall give up what it still holds, also where the file breaks off."""
        import av

        try:
            for packet in self._video.container.demux(self._video.stream):
                self._weigh(packet)
                yield packet
                if self._barren > BARREN_PACKETS:
                    break
            else:
                return
        except (av.FFmpegError, IndexError):  # IndexError: a stream that the header did not announce
            pass
        self._damaged = self.broken = True
        yield None

    def _weigh(self, packet: Any) -> None:
        """Raises VideoError once the stream holds more than any camera writes in its time."""
        self._count += 1
        self._bytes += packet.size
        packets, size = self._video.most(self.time_s)
        if self._count > packets or self._bytes > size:
            found = f"{self._count} packets of {self._bytes} bytes"
            raise refuse("too_dense", f"{found} had been read when its pictures had come to {self.time_s:.1f} s")

    def _frames(self, packet: Any) -> list[Any]:
        import av

        try:
            frames: list[Any] = self._codec.decode(packet)
        except (MemoryError, av.MemoryError) as error:
            raise refuse("too_large", "a frame needs more memory than a worker may have") from error
        except av.EOFError:
            return []
        except av.FFmpegError:
            self._damaged = self.broken = True
            return []
        return frames

    def _time(self, frame: Any) -> float | None:
        ticks = frame.pts if frame.pts is not None else frame.dts
        if ticks is None:
            return None
        return float(ticks * self._tick_s) - self._video.start_s

    def _taint(self, frame: Any) -> bool:
        if frame.is_corrupt:
            self._damaged = self.broken = True
        elif frame.key_frame:
            self._damaged = False
        return self._damaged
