"""What a user may choose: the parameters and their checks, cells, optimizers and schedules."""
