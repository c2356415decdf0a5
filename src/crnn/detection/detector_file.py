"""The entry that a detector has in its model's file: parameters, threshold and kept texts."""

from __future__ import annotations

from typing import Any

from ..language_model import LanguageModel
from .calibration import Calibration
from .learned import DetectorOptions, Learned


def entry_of(learned: Learned, options: DetectorOptions, *, random_state: int | None, chosen: bool) -> dict[str, Any]:
    """Return the entry; `chosen` says that the detector chose its model. Bytes become characters of the same codes."""
    as_text = learned.model.vocabulary_.kind == "characters"
    held = [[text if as_text else text.decode("latin-1"), *rest] for text, *rest in learned.held]
    return {
        **options._asdict(),
        "random_state": random_state,
        "chosen": chosen,
        "scored_by": learned.reduce,
        "held": held if options.keep_texts else [],
        **learned.calibration._asdict(),
    }


def learned_from(entry: dict[str, Any], model: LanguageModel) -> tuple[Learned, dict[str, Any]]:
    """Return what a detector has learned, given its entry and its model, and the constructor's parameters."""
    parameters = dict(entry)
    calibration = Calibration(*(parameters.pop(name) for name in Calibration._fields))
    origin = None if parameters.pop("chosen") else model
    reduce = parameters.pop("scored_by")
    as_text = model.vocabulary_.kind == "characters"
    held = tuple(
        (text if as_text else text.encode("latin-1", "replace"), n, score) for text, n, score in parameters.pop("held")
    )
    learned = Learned(model, reduce, calibration, origin, held, mask=parameters["mask"])
    return learned, {"estimator": origin, **parameters}
