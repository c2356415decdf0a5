"""docs/min_char_rnn.md shows classic.pyx as it is."""

import re

from source_tree import ROOT, needs_sources


@needs_sources
def test_the_page_shows_the_file():
    page = (ROOT / "docs" / "min_char_rnn.md").read_text(encoding="utf-8")
    source = (ROOT / "src/crnn/classic/classic.pyx").read_text(encoding="utf-8")
    shown = re.findall(r"^```cython\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    for block in shown:
        assert block in source
    algorithm = source[source.index("cdef void forward(") : source.index("def train_steps(")]
    for function in re.split(r"\n\n\n(?=cdef )", algorithm.rstrip()):
        assert any(function in block for block in shown), function.splitlines()[0]
    assert any("adagrad(w, dw" in block and "forward(x" in block for block in shown)
