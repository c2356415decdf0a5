"""Does `benchmarks.ocr_pages` render, read and judge pages?"""

import pytest

from benchmarks import ocr_pages


def test_words_are_judged():
    assert ocr_pages.shares(["to be or not"], ["to bc or not"], ["to be 0r not"]) == (0.25, 1)
    assert ocr_pages.wrapped("to be\nor not\n\n\nto be") == "to be or not\n\nto be"


def test_a_rendered_page_is_read_and_damaged_by_noise():
    if reason := ocr_pages.missing():
        pytest.skip(reason)
    page = ocr_pages.wrapped("The function returns a list of strings, and the statement ends. " * 9)
    wrong = [
        ocr_pages.shares([page], [scan], [scan])[0]
        for scan in (
            ocr_pages.scan(page, ocr_pages.Degree("clean", 0, 0, 0), 0),
            ocr_pages.scan(page, ocr_pages.Degree("unreadable", 4, 90, 2), 0),
        )
    ]
    assert wrong[0] < 0.1 < wrong[1]
