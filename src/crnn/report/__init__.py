"""A report on a model: one HTML page that shows what it is, how it learned, and what it thinks of a text."""

from .report_file import write_report

__all__ = ["write_report"]
