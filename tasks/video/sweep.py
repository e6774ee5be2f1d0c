"""One forward pass over an open video for all its windows, overlapping ones too."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from tasks.video.decode import Decoder, Picture
from tasks.video.measure import Measurer
from tasks.video.reasons import refuse
from tasks.video.window import Window

FAST_LOOKS_PER_S = 15.0
LAST_HOLDS_S = 0.25
"""How long the last frame still counts as shown: the next ones may have been skipped, or be missing by rounding."""


class Sweep:
    """Feeds each decoded frame to the windows that are open at its time.

    ``fast`` looks at no more than FAST_LOOKS_PER_S frames a second. ``longest_s`` and ``deadline`` bound what a file
    can cost; the latter is of time.process_time, so that a busy machine rejects nothing. ``alive`` is called for
    every frame; ``decoded`` counts them.
    """

    def __init__(
        self,
        decoder: Decoder,
        windows: Sequence[Window],
        fast: bool,
        longest_s: float,
        deadline: float,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._decoder = decoder
        self._measurer = Measurer()
        self._coming = sorted(windows, key=lambda window: (window.start_s, window.end_s))
        self._open: list[Window] = []
        self._least_gap_s = 1 / FAST_LOOKS_PER_S - 0.002 if fast else 0.0
        self._longest_s = longest_s
        self._deadline = deadline
        self._alive = alive
        self._last: Picture | None = None
        self.decoded = 0

    def finished(self) -> Iterator[Window]:
        """Each window as soon as it is over; without looks where the video shows nothing then.

        Raises VideoError (timed_out, too_long, too_large) where the pass ends before the windows do.
        """
        for picture in self._decoder.pictures():
            self._check(picture)
            yield from self._over(picture.time_s)
            if not self._open and not self._coming:
                return
            self._look(picture)
            self._last = picture
            if not self._open:
                self._decoder.skip_to(self._coming[0].start_s)
        for window in self._coming:
            if self._last is not None and window.start_s < self._last.time_s + LAST_HOLDS_S:
                window.add(*self._measurer.measure(self._last), self._last.frame)
        yield from self._open + self._coming

    def _check(self, picture: Picture) -> None:
        self.decoded += 1
        self._alive()
        if picture.time_s > self._longest_s:
            raise refuse("too_long", f"pictures go on after {self._longest_s:.0f} s")
        if time.process_time() > self._deadline:
            raise refuse("timed_out", f"decoding takes too long and had come to {picture.time_s:.1f} s")

    def _over(self, now_s: float) -> Iterator[Window]:
        """Opens the windows that have begun and yields those that are over."""
        while self._coming and self._coming[0].start_s <= now_s:
            self._open.append(self._coming.pop(0))
        for window in [window for window in self._open if window.end_s <= now_s]:
            self._open.remove(window)
            if not window.looks and self._last is not None:  # shorter than a frame: the one still on screen
                window.add(*self._measurer.measure(self._last), self._last.frame)
            yield window

    def _look(self, picture: Picture) -> None:
        wanting = [window for window in self._open if window.wants(picture.time_s, self._least_gap_s)]
        if wanting:
            look, thumb = self._measurer.measure(picture)
            for window in wanting:
                window.add(look, thumb, picture.frame)
