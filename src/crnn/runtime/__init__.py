"""The machine: threads, cores, containers, signals, atomic files, and build information."""
