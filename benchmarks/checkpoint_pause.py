"""What fraction of the training time do checkpoints take?

``python -m benchmarks.checkpoint_pause`` trains a small and a large model with checkpoints every second. It prints how
long a checkpoint pauses training to copy the snapshot, in wall-clock and in processor time (unaffected by other
programs); the pause as a fraction of training with an interval of 1 second and of 60 (the default); and the time taken
by the background thread to write the checkpoint.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import mean
from typing import Any

from crnn import CharRNN
from crnn.training.checkpoints.checkpoint_writer import CheckpointWriter
from crnn.training.loop.run import TrainingRun

TEXT = "to be or not to be, that is the question: whether 'tis nobler in the mind to suffer. " * 300
MODELS: dict[str, dict[str, Any]] = {
    "rnn, 1 × 100": {"hidden_size": 100},
    "lstm, 3 × 1024, adam": {
        "hidden_size": 1024, "num_layers": 3, "cell": "lstm", "optimizer": "adam", "batch_size": 8,
    },
}  # fmt: skip
INTERVALS = (1.0, 60.0)


class Watch:
    """Measures checkpoints: what they hold training up, and what writing them takes."""

    def __init__(self) -> None:
        self.pauses: list[tuple[float, float]] = []
        self.writes: list[float] = []

    def __enter__(self) -> Watch:
        self._due, self._run = TrainingRun._write_checkpoint_if_due, CheckpointWriter._run
        due, run = self._due, self._run

        def timed_due(training: TrainingRun) -> None:
            writer = training._checkpoints.writer
            before, start, processor = writer._last_step, time.perf_counter(), time.thread_time()
            due(training)
            if writer._last_step != before:
                self.pauses.append((time.perf_counter() - start, time.thread_time() - processor))

        def timed_run(writer: CheckpointWriter, *arguments: Any) -> None:
            start = time.perf_counter()
            run(writer, *arguments)
            self.writes.append(time.perf_counter() - start)

        TrainingRun._write_checkpoint_if_due, CheckpointWriter._run = timed_due, timed_run
        return self

    def __exit__(self, *exception: object) -> None:
        TrainingRun._write_checkpoint_if_due, CheckpointWriter._run = self._due, self._run


def trained(given: dict[str, Any], seconds: float, **rest: Any) -> CharRNN:
    """Train a model for some seconds."""
    return CharRNN(**given, max_seconds=seconds, random_state=0, n_threads=1).fit(TEXT, **rest)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30.0, help="of training for each model")
    seconds = parser.parse_args().seconds
    shares = "".join(f"{f'of {interval:.0f} s':>10}" for interval in INTERVALS)
    print(f"{'model':<24}{'weights':>10}{'pauses':>8}{'mean, ms':>10}{'processor':>11}{shares}{'written in, s':>15}")
    for name, given in MODELS.items():
        with tempfile.TemporaryDirectory() as folder, Watch() as watch:
            model = trained(given, seconds, checkpoint=Path(folder) / "run", checkpoint_every=1.0)
        seen, pause = (mean(times) for times in zip(*watch.pauses, strict=True))
        parts = "".join(f"{pause / (interval + pause):>10.3%}" for interval in INTERVALS)
        weights = sum(array.size for array in model.params_.values())
        print(f"{name:<24}{weights:>10,}{len(watch.pauses):>8}{1000 * seen:>10.1f}{1000 * pause:>11.1f}"
              f"{parts}{mean(watch.writes):>15.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
