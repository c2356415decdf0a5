"""A report on a model: one HTML page that shows the model, its training, and its scores of a text."""

from .report_file import write_report

__all__ = ["write_report"]
