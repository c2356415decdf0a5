"""The processor's instruction sets."""

cdef extern from "cpu_features.h":
    int instruction_set_level()
    bint multiplies_bytes()

cdef int found = instruction_set_level()


def level() -> int:
    """Return 4 for AMX, 3 for AVX-512 with BF16, 2 for AVX-512, 1 for AVX2 with FMA, 0 for none of them.

    On Linux this requests the registers of AMX, which the system grants to a process permanently.
    """
    return found


def has_vnni() -> bool:
    """Return whether the processor has AVX-512 with VNNI: products of bytes, summed in 32 bits."""
    return found >= 2 and multiplies_bytes()
