"""The user's choices: parameters and their checks, cells, optimizers and schedules."""
