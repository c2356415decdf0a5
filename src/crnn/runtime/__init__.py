"""The machine: threads, cores, containers, signals, files that are whole or absent, and how crnn was built."""
