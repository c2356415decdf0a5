"""StepSettings: everything that determines a step, apart from the state it changes."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from ...parameters.settings import Settings, rounds_operands


@dataclass(frozen=True)
class StepSettings:
    """Clipping, weight decay, Adam's moments, dropout, state resets, the scale of the loss, and precision."""

    seq_length: int  # the chunk length to which losses are scaled. Chunks are shorter if the text is.
    clip: float = math.inf  # `clip`, `clip_norm`: bounds of the gradient; infinity: no clipping
    clip_norm: float = math.inf
    weight_decay: float = 0.0
    beta_1: float = 0.9
    beta_2: float = 0.999
    dropout: float = 0.0
    weight_dropout: float = 0.0
    state_reset: float = 0.0
    # The seed which, with the number of the step, decides which units and weights are dropped, which streams' states
    # are reset, and which symbols are drawn.
    dropout_seed: int = 0
    bfloat16: bool = False  # whether products round their operands to bfloat16
    sampled_softmax: int = 0  # symbols drawn for each chunk's softmax in addition to its targets; 0: the full softmax

    @classmethod
    def of(cls, settings: Settings, rng: np.random.Generator) -> Self:
        """Return the settings for one call of training.

        The dropout seed comes from a copy of the model's generator, so that a run in two parts continues with the same
        seed.
        """
        return cls(
            seq_length=settings.seq_length,
            clip=settings.clip,
            clip_norm=settings.clip_norm,
            weight_decay=settings.weight_decay,
            beta_1=settings.beta_1,
            beta_2=settings.beta_2,
            dropout=settings.dropout,
            weight_dropout=settings.weight_dropout,
            state_reset=settings.state_reset,
            dropout_seed=int(copy.deepcopy(rng).integers(2**63)),
            bfloat16=rounds_operands(settings.matmul_precision, settings.dtype),
            sampled_softmax=settings.sampled_softmax or 0,
        )
