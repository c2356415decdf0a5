"""An exported C file compiled to WebAssembly as docs/export.md says."""

import shutil
import subprocess
from pathlib import Path

import pytest
from examples import random_language_model

from crnn import CharNGram, Mixture

PAGE = Path(__file__).parents[2] / "docs" / "export.md"
TEXT = "the quick brown fox jumps over the lazy dog " * 9


@pytest.mark.skipif(not (shutil.which("emcc") and shutil.which("node")), reason="needs emcc and node")
def test_the_commands_of_the_page_give_the_score_of_python(tmp_path):
    network = random_language_model(TEXT, hidden_size=13, cell="gru", dtype="float32")
    mixture = Mixture.from_fitted([network.quantize(), CharNGram(3).fit(TEXT).quantize()])
    mixture.export_c(tmp_path / "fox.c")
    section = PAGE.read_text("utf-8").partition("### WebAssembly")[2]
    command = next(line for line in section.splitlines() if line.startswith("    emcc "))
    subprocess.run(command.split(), cwd=tmp_path, check=True)
    (tmp_path / "run.mjs").write_text(section.partition("```js\n")[2].partition("```")[0])
    found = subprocess.run(["node", "run.mjs"], cwd=tmp_path, capture_output=True, check=True).stdout
    assert float(found) == pytest.approx(mixture.score_samples(["the lazy dog"])[0], abs=1e-5)
