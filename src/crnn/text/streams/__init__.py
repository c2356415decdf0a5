"""A source's ids as B rows that training reads in parallel."""
