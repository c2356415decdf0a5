"""The page that trains min-char-rnn in the browser."""

from .play_page import write_play_page

__all__ = ["write_play_page"]
