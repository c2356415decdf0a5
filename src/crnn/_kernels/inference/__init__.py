"""Reading, scoring and drawing."""
