"""The processor's instruction sets."""

cdef extern from "cpu_features.h":
    int instruction_set_level()


def level() -> int:
    """Return 2 for AVX-512, 1 for AVX2 with FMA, 0 for neither."""
    return instruction_set_level()
