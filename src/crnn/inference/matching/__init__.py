"""Text that matches a pattern: the pattern's automaton, and samplers that draw from the exact conditional."""
