"""Runs that are interrupted after a given step."""

import pytest

from crnn.training.trainer import Trainer


def train_until(step, model, monkeypatch, path, text, method="fit", **rest):
    """Train until the call has taken a number of steps, as if Ctrl-C came right after the last one."""
    advance = Trainer.advance
    first = model.n_steps_ if method == "partial_fit" else 0

    def advance_some(trainer, rates):
        left = step - (trainer.cursor.n_steps - first)
        advance(trainer, rates[:left])
        if left <= len(rates):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", advance_some)
        with pytest.raises(KeyboardInterrupt):
            getattr(model, method)(text, checkpoint=path, **rest)
