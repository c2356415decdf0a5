"""Several processes of `crnn train`, started by a launcher such as mpiexec."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from ..errors import InvalidInputError
from .errors import error_message, say

MPI_SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")  # set by Open MPI, MPICH, Intel MPI


def communicator() -> Any:
    """Return the communicator of all processes if a launcher such as mpiexec has started several, otherwise None."""
    if not any(os.environ.get(name, "1") not in ("", "1") for name in MPI_SIZES):
        return None
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise InvalidInputError(
            f"training with several processes needs mpi4py ({error}). Install it with pip install 'crnn[mpi]'."
        ) from None
    return MPI.COMM_WORLD if MPI.COMM_WORLD.Get_size() > 1 else None


@contextlib.contextmanager
def aborting(comm: Any) -> Iterator[None]:
    """End all processes if this one fails, since the others may be waiting for it."""
    try:
        yield
    except Exception as error:
        say(f"crnn: error: process {comm.Get_rank()}: {error_message(error)}")
        comm.Abort(1)
        raise
    except SystemExit:  # wrong usage, already reported by argparse
        comm.Abort(2)
        raise
