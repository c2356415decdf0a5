"""The training loop: steps, budget, schedule, validation, gradients."""
