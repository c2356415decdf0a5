"""A toy cell, a toy optimizer and a toy control, added in the places that docs/design.md lists and nowhere else.

The sources are copied, changed there, and built for one instruction set; the toys then train, save, load, score and
draw, and agree with what the same places of the reference say.
"""

import os
import re
import shutil
import subprocess
import sys
import textwrap

import pytest
from source_tree import ROOT, needs_sources

pytestmark = needs_sources

TOY_CELL = '''
"""A toy: h = z / (1 + |z|), with z as in the vanilla cell."""
from ..common.interface cimport real


cdef inline void toy_units(Py_ssize_t n, real* h) noexcept nogil:
    """h = h / (1 + |h|) for n units of one stream; h comes in as z"""
    cdef Py_ssize_t j
    for j in range(n):
        h[j] /= 1 + (h[j] if h[j] > 0 else -h[j])


cdef inline void toy_units_backward(Py_ssize_t n, const real* h, real* dz) noexcept nogil:
    """dz = dz (1 - |h|)^2; dz comes in as dh"""
    cdef Py_ssize_t j
    cdef real rest
    for j in range(n):
        rest = 1 - (h[j] if h[j] > 0 else -h[j])
        dz[j] *= rest * rest
'''

TOY_FORWARD = """
def toy_forward(layer: LayerTensors, x: Array, a: Array, kept: Array | None, h0: Array) -> Activations:
    h = _chunk_of(h0, len(a))
    act = Activations(x, h, gates=h[1:], kept=kept)
    for t in range(len(a)):
        z = a[t] + product(act.before(h, t), layer.Wh)
        h[t + 1] = z / (1 + np.abs(z))
    return act


FORWARD: dict"""

TOY_BACKWARD = """
def toy_backward(layer: LayerTensors, act: Activations, dh: Array, dstates: State | None = None) -> Any:
    da, later = np.empty_like(act.gates), np.zeros_like(dh[0])
    for t in reversed(range(len(da))):
        da[t] = (1 - np.abs(act.h[t + 1])) ** 2 * (dh[t] + later)
        _keep(dstates, t, dh[t] + later)
        later = act.passed(product(da[t], layer.Wh.T), t)
    return da, da


BACKWARD = {"toy": toy_backward, """

TOY_OPTIMIZER = '''
cdef inline void toy(const Rule* rule, real* p, const real* d, real* last, Py_ssize_t n) noexcept nogil:
    """d = clip(d); last = d; p -= learning_rate * d"""
    cdef Py_ssize_t i
    for i in range(n):
        last[i] = clipped(d[i], <real>rule.scale, <real>rule.clip)
        p[i] -= <real>rule.learning_rate * last[i]


cdef inline void step_run('''

TOY_OPTIMIZER_REFERENCE = """
def toy(p: Any, d: Any, last: Any, learning_rate: float) -> None:
    for param, grad, kept in zip(p, d, last, strict=True):
        kept[...] = grad
        param -= learning_rate * grad


def update("""

TOY_CONTROL = """
    toy_limit: Annotated[float | None, Control(
        None, "float", "Draw no character whose probability is below this share of the largest, as `min_p`.", _min_p,
    )]
    stop: Annotated"""

# By the lists of docs/design.md: each file that the list names, and what is put in place of what.
CELL = {
    "_kernels/cells/cells.pxd": [
        ("    CIFG = 3\n", "    CIFG = 3\n    TOY = 4\n"),
        ("from .rnn cimport", "from .toy cimport toy_units, toy_units_backward\nfrom .rnn cimport"),
        (
            "        rnn_units(n, h)\n",
            "        rnn_units(n, h)\n    elif net.cell.number == TOY:\n        toy_units(n, h)\n",
        ),
        (
            "        rnn_units_backward(n, h, z)\n",
            "        rnn_units_backward(n, h, z)\n"
            "    elif net.cell.number == TOY:\n        toy_units_backward(n, h, z)\n",
        ),
        (
            "    if net.cell.number == RNN:\n        rnn_state_gradients",
            "    if net.cell.number == RNN or net.cell.number == TOY:\n        rnn_state_gradients",
        ),
    ],
    "parameters/kinds.py": [("CELLS = {\n", 'CELLS = {\n    "toy": Cell(4, gates=1),\n')],
    "reference/network.py": [
        ("\nFORWARD: dict", TOY_FORWARD),
        ('    "rnn": rnn_forward,\n', '    "rnn": rnn_forward,\n    "toy": toy_forward,\n'),
        ("\nBACKWARD = {", TOY_BACKWARD),
    ],
}
OPTIMIZER = {
    "_kernels/training/optimizers.pxd": [
        ("    ADAM = 2\n", "    ADAM = 2\n    TOY = 3\n"),
        ("\ncdef inline void step_run(", TOY_OPTIMIZER),
        (
            "    elif rule.number == RMSPROP:\n",
            "    elif rule.number == TOY:\n        toy(rule, p + start, d, rule.first + start, n)\n"
            "    elif rule.number == RMSPROP:\n",
        ),
    ],
    "parameters/kinds.py": [
        ("OPTIMIZERS = {\n", 'OPTIMIZERS = {\n    "toy": OptimizerKind(3, 0.05, ("last",), sparse=True),\n')
    ],
    "reference/optimizers.py": [
        ("\ndef update(", TOY_OPTIMIZER_REFERENCE),
        ("rules: dict[str, Callable[..., None]] = {", 'rules: dict[str, Callable[..., None]] = {"toy": toy, '),
    ],
}
CONTROL = {
    "sampling/controls.py": [("\n    stop: Annotated", TOY_CONTROL)],
    "_kernels/common/interface.pxd": [("    double min_p ", "    double toy_limit\n    double min_p ")],
    "_kernels/inference/sampler.pxd": [
        ("    if smallest > 0:\n", "    if controls.toy_limit > smallest:\n        smallest = controls.toy_limit\n"
                                   "    if smallest > 0:\n")
    ],
    "reference/sampling.py": [("    min_p: float = 0.0,\n", "    min_p: float = 0.0,\n    toy_limit: float = 0.0,\n"),
                              ("p[p < min_p * p.max()]", "p[p < max(min_p, toy_limit) * p.max()]")],
}  # fmt: skip

TRIAL = """
import numpy as np
from crnn import CharRNN
from crnn.model.state import zero_hidden
from crnn.reference import network as reference
from crnn.reference.sampling import filtered

text = "to be or not to be, " * 30
model = CharRNN(7, num_layers=2, cell="toy", optimizer="toy", dtype="float64", batch_size=3, seq_length=5,
                init_scale=0.3, max_steps=7, random_state=0).fit(text)
model.save("toy.crnn")
again = CharRNN.load("toy.crnn")
assert again.score(text) == model.score(text) and again.optimizer == "toy"
assert list(again.optimizer_state_) == ["last"]
again.partial_fit(text), model.partial_fit(text)
assert again.score(text) == model.score(text), "training continues to the bit"

state = model._learned
p = state.layout.tensors(state.params)
ids = model.vocabulary_.encode(text[:60]).astype(np.intp)[:, None]
log_p, _ = reference.log_probabilities(p, "toy", ids, zero_hidden(state.layout, 1))
np.testing.assert_allclose(-model.surprisal(text[:60]), log_p[:, 0], rtol=1e-10)

# One step of the kernels is one step of the reference, from the same state.
one = CharRNN(7, num_layers=2, cell="toy", optimizer="toy", dtype="float64", seq_length=11, init_scale=0.3,
              max_steps=0, random_state=1).fit(text)
start = one._learned.params.copy()
one.set_params(max_steps=1).partial_fit(text)
layout = one._learned.layout
parts, lasts = layout.tensors(start), layout.tensors(np.zeros_like(start))
ids = one.vocabulary_.encode(text[:12]).astype(np.intp)[:, None]
reference.train_step(parts, "toy", [lasts], ids[:-1], ids[1:], zero_hidden(layout, 1), 0.05, 5.0, optimizer="toy")
np.testing.assert_allclose(one._learned.params, start, rtol=1e-10, atol=1e-13)

drawn = [set(model.sample(400, toy_limit=limit, random_state=3)) for limit in (None, 1.0)]
greedy = model.sample(400, temperature=0, random_state=3)
assert set(greedy) == drawn[1] < drawn[0], "a limit of 1 leaves the likeliest alone"
y = np.log(np.array([0.5, 0.3, 0.2]))
assert filtered(y, toy_limit=0.5).argmin() == 2
print("the toys work")
"""


def changed(folder, places):
    for name, changes in places.items():
        path = folder / "src" / "crnn" / name
        source = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert source.count(old) == 1, f"{name}: {old!r}"
            source = source.replace(old, new)
        path.write_text(source, encoding="utf-8")


def documented(title):
    """Return the files that the list under a bold title in docs/design.md names."""
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    part = re.search(rf"\*\*{title}\*\*.*?(?=\n\*\*|\n## )", text, re.DOTALL)[0]
    return set(re.findall(r"^\d+\. `([\w/.]+)`", part, re.MULTILINE))


def test_headers_with_branches_for_instruction_sets_are_documented():
    kernels = ROOT / "src" / "crnn" / "_kernels"
    of_a_set = re.compile(r"defined\(__(AVX|AMX|ARM_FEATURE)")
    branching = {
        f"_kernels/{path.relative_to(kernels).as_posix()}"
        for path in kernels.glob("*/*.h")
        if of_a_set.search(path.read_text(encoding="utf-8"))
    }
    table, detection = "_kernels/instruction_sets.py", "_kernels/platform/cpu_features.h"
    assert documented("An instruction set") == {table, detection, *branching}


@pytest.mark.slow
def test_toys_are_added_in_the_documented_places(tmp_path):
    assert documented("A cell") == {"_kernels/cells/NAME.pxd", *CELL}
    assert documented("An optimizer") == set(OPTIMIZER)
    assert documented("A sampling control") == set(CONTROL)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("*.so", "*.c", "*.egg-info", "*.pyc"))
    shutil.copytree(ROOT / "src/crnn/export/c_source", tmp_path / "src/crnn/export/c_source", dirs_exist_ok=True)
    (tmp_path / "src/crnn/_kernels/cells/toy.pxd").write_text(TOY_CELL.lstrip(), encoding="utf-8")
    for places in (CELL, OPTIMIZER, CONTROL):
        changed(tmp_path, places)
    # A platform without a name of its own has the baseline alone, which takes a sixth of the time to build.
    build = [sys.executable, "setup.py", "-q", "build_ext", "--inplace", "--plat-name", "toy", "-j", "2"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "src")}
    tried = subprocess.run([sys.executable, "-c", textwrap.dedent(TRIAL)], cwd=tmp_path, env=environment,
                           capture_output=True, text=True, check=False)  # fmt: skip
    assert tried.stdout == "the toys work\n", tried.stderr[-2000:]
