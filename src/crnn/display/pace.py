"""Pace: how often progress is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Pace:
    """Seconds between two updates at first; later a part of the elapsed time, so that a long run's log stays small."""

    line_seconds: float = 5.0  # between two lines of a log
    sample_seconds: float = 5.0  # between two samples
    pause_share: float = 1 / 20  # of the elapsed time, for lines and samples
    notebook_seconds: float = 0.4  # between two updates of a notebook
    curve_share: float = 1 / 100  # of the elapsed time, for a notebook

    def line_pause(self, elapsed: float) -> float:
        """Return the seconds between two lines of a log."""
        return max(self.line_seconds, elapsed * self.pause_share)

    def sample_pause(self, elapsed: float) -> float:
        """Return the seconds between two samples."""
        return max(self.sample_seconds, elapsed * self.pause_share)

    def curve_pause(self, elapsed: float) -> float:
        """Return the seconds between two curves in a notebook."""
        return max(self.notebook_seconds, elapsed * self.curve_share)


PACE = Pace()  # of production; tests pass others
