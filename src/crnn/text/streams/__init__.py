"""The ids of a source as B rows that training reads in parallel."""
