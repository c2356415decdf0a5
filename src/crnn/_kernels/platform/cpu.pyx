"""The processor's instruction sets."""

cdef extern from "cpu_features.h":
    int instruction_set_level()
    bint multiplies_bytes(int level)

cdef int found = instruction_set_level()


def level() -> int:
    """Return 4 for AMX, 3 for AVX-512 with BF16, 2 for AVX-512, 1 for AVX2 with FMA, 0 for none of them.

    On Linux this requests the registers of AMX, which the system grants to a process permanently.
    """
    return found


def has_byte_products() -> bool:
    """Return whether the processor sums products of bytes in 32 bits: AVX-512 with VNNI, or ARM's dot products."""
    return multiplies_bytes(found)
