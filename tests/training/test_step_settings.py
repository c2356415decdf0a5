"""What determines a step: each parameter of the model, and a seed from a copy of its generator."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from crnn import CharRNN
from crnn.parameters.settings import Settings
from crnn.training.trainer import StepSettings

CHANGES = {
    "seq_length": 7, "clip": 0.5, "clip_norm": 0.25, "beta_1": 0.5, "beta_2": 0.75, "dropout": 0.125,
    "weight_dropout": 0.375, "state_reset": 0.0625, "sampled_softmax": 11,
}  # fmt: skip


def of(**parameters):
    return StepSettings.of(Settings.check(CharRNN(**parameters).get_params()), np.random.default_rng(3))


@pytest.mark.parametrize("name", CHANGES)
def test_each_parameter_reaches_the_step_settings(name):
    before, after = dataclasses.asdict(of()), dataclasses.asdict(of(**{name: CHANGES[name]}))
    assert {key for key in before if before[key] != after[key]} == {name}
    assert after[name] == CHANGES[name]


def test_renamed_parameters_reach_the_step_settings():
    assert of(optimizer="adam", weight_decay=0.5).weight_decay == 0.5
    assert not of().bfloat16
    assert of(matmul_precision="bfloat16").bfloat16
    assert (of(clip=None).clip, of(clip_norm=None).clip_norm) == (math.inf, math.inf)
    assert of(sampled_softmax=None).sampled_softmax == 0


def test_the_seed_comes_from_a_copy_of_the_generator():
    settings, rng = Settings.check(CharRNN().get_params()), np.random.default_rng(3)
    seeds = [StepSettings.of(settings, rng).dropout_seed for _ in range(2)]
    assert seeds[0] == seeds[1] == np.random.default_rng(3).integers(2**63)
    assert seeds[0] != StepSettings.of(settings, np.random.default_rng(4)).dropout_seed
