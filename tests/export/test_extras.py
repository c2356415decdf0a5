import subprocess
import sys

import pytest
from examples import random_language_model

from crnn.export.weights import require_package


@pytest.mark.parametrize(("extra", "export"), [("torch", "to_torch"), ("onnx", "export_onnx")])
def test_missing_extra_is_named(extra, export, monkeypatch):
    monkeypatch.setitem(sys.modules, extra, None)
    model = random_language_model("abc")
    with pytest.raises(ModuleNotFoundError, match=rf'{export} needs {extra}.*pip install "crnn\[{extra}\]"'):
        getattr(model, export)(*(["model.onnx"] if extra == "onnx" else []))


def test_package_that_lacks_something_itself(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import no_such_module\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        require_package("broken_package", "torch", "to_torch")


def test_interrupted_import_of_torch_is_complete(tmp_path):
    (tmp_path / "torch.py").write_text(
        "import signal\nsignal.raise_signal(signal.SIGINT)\nclass nn:\n    Module = object\ncomplete = True"
    )
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom crnn import CharRNN\n"
        "try: CharRNN.from_torch({}, 'ab')\nexcept KeyboardInterrupt: print(sys.modules['torch'].complete)"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "True\n"
