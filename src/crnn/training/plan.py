"""TrainingPlan: what one call of training will do."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..model.state import ModelState
from ..parameters.budget import Budget
from ..parameters.settings import Settings
from ..text.id_cache import Fingerprint
from ..text.streams import Streams
from ..text.vocabulary import Ids
from .checkpoints import CheckpointWriter, RunState
from .processes import Processes


@dataclass(frozen=True, eq=False)  # arrays have no single truth value
class TrainingPlan:
    """One call of `fit`, `partial_fit` or `resume`, checked by `fit.plan_training` and carried out by `TrainingRun`."""

    state: ModelState
    settings: Settings
    streams: Streams  # of the text or the documents
    budget: Budget
    start: float  # when the call began, by `time.perf_counter`; for a resumed call, less the seconds already used
    validation_ids: Ids | None = None  # the text whose loss is measured
    sample_weight: NDArray[np.float64] | None = None  # of the documents, for a checkpoint
    texts: dict[str, Fingerprint] = field(default_factory=dict)  # for a checkpoint, and to compare processes
    summary: str = ""  # the line about the data that progress begins with
    writer: CheckpointWriter | None = None
    resumed: RunState | None = None  # an interrupted run, from the same moment as the state
    processes: Processes | None = None
