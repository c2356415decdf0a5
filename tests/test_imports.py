"""The modules form layers: no circle of imports, not even for types, and nothing private read from outside.

The imports are read from the source, so that those under TYPE_CHECKING and inside functions count like all others.
"""

import ast
import re

import pytest
from source_tree import ROOT, needs_sources, parsed, python_modules

pytestmark = needs_sources

# The public classes, their bases, and the rooms that do the work of a class made of other public classes: one unit.
FACADE = [
    "anomaly_detector", "detection", "estimator", "language_model", "char_ngram", "char_rnn", "loading", "mixing",
    "mixture", "tables", "text_classifier",
]  # fmt: skip

# From the lowest layer to the highest. A module belongs to its longest prefix here. A layer may import those below it
# and itself.
LAYERS = [
    ["_version", "arrays", "errors"],
    ["_kernels", "runtime", "parameters"],
    ["datasets", "text", "model"],
    ["display", "inference", "reference"],
    ["scoring"],
    ["sampling"],
    ["matching"],
    ["search"],
    ["restoring", "text_states"],
    ["ngram"],
    ["training"],
    ["adaptation", "files", "export"],
    FACADE,
    ["classic", "play", "plot", "report"],
    ["cli", "__main__", ""],  # the last is the package itself, which imports the public names
]
# What every model offers: the public classes, the texts that it reads, its network and its scores.
CONTRACT = {
    "_version", "arrays", "errors", "parameters", "runtime", "text", "display", "datasets",
    "language_model", "estimator", "char_rnn", "char_ngram", "text_classifier",
    "inference", "scoring", "text_states", "model.layout", "model.int8_weights",
}  # fmt: skip
# Rooms one could lift out, and what each needs beyond the contract: other such rooms, or parts that it would bring.
LIFTABLE = {
    "detection": set(),
    "restoring": {"_kernels.inference.closed_list", "_kernels.inference.selection"},
    "plot": set(),
    "report": {"export", "plot", "mixture"},
    "play": {"export"},
    "export": {
        "sampling", "model.state", "files.sealed_file", "files.ngram_file",
        "ngram.frozen", "ngram.lookahead", "ngram.pruning", "ngram.unrolled", "ngram.word_counts",
    },
    "mixing": {
        "adaptation", "files", "model.state", "training.checkpoints", "training.fit",
        "ngram.counts_network", "ngram.longest_match", "ngram.word_counts", "ngram.words_network",
    },
    "mixture": {"mixing", "adaptation", "export", "ngram.words_network"},
}  # fmt: skip
RANKS = {prefix: rank for rank, layer in enumerate(LAYERS) for prefix in layer}
COMPILED = {
    "crnn.classic.classic",
    "crnn._kernels.entry.core", "crnn._kernels.inference.closed_list", "crnn._kernels.inference.copies",
    "crnn._kernels.inference.selection",
    "crnn._kernels.ngram.compact", "crnn._kernels.ngram.frozen", "crnn._kernels.ngram.lookahead",
    "crnn._kernels.ngram.longest_match", "crnn._kernels.ngram.ngrams", "crnn._kernels.ngram.reading",
    "crnn._kernels.ngram.words",
}  # fmt: skip
NAMED_TUPLES = {"_asdict", "_fields", "_make", "_replace"}  # public, whatever they are called


def imports_of(name, path, known):
    """Return the modules of the package that a module imports anywhere in its source."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = [] if not node.level else package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join(base + ([node.module] if node.module else []))
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add(whole if whole in known else base)
    return {module for module in found if module.split(".")[0] == "crnn"}


@pytest.fixture(scope="module")
def graph():
    modules = python_modules()
    known = modules.keys() | COMPILED
    return {name: imports_of(name, path, known) for name, path in modules.items()}


def rank_of(module):
    parts = module.split(".")[1:]
    return next(RANKS[prefix] for n in range(len(parts), -1, -1) if (prefix := ".".join(parts[:n])) in RANKS)


def test_every_import_is_found(graph):
    assert {"crnn.model.state", "crnn.text.vocabulary"} <= graph["crnn.model.state"] | {"crnn.model.state"}
    assert "crnn._kernels.entry.core" in graph["crnn.training.trainer"]
    assert all(target in graph or target in COMPILED for targets in graph.values() for target in targets)


def test_every_module_has_a_layer(graph):
    rooms = {module.split(".")[1] for module in graph if module != "crnn"}
    assert rooms - {prefix.split(".")[0] for prefix in RANKS} == set()


def test_no_module_imports_a_higher_layer(graph):
    upward = [
        f"{module} imports {target}"
        for module, targets in graph.items()
        for target in sorted(targets)
        if rank_of(target) > rank_of(module)
    ]
    assert not upward


def cycle_of(graph):
    """Return the nodes that cannot be ordered, because they reach one another."""
    left = {name: targets - {name} for name, targets in graph.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    return left


def test_imports_have_no_cycles(graph):
    assert not cycle_of(graph), "these import one another"


def test_folders_have_no_cycles(graph):
    """A module stands for its folder, or for itself if the folder has others in it."""
    packages = {name.rpartition(".")[0] for name in graph}
    parents = {name.rpartition(".")[0] for name in packages}

    def room(module):
        folder = module.rpartition(".")[0]
        return module if folder in parents or module in packages else folder

    folders = {room(module): set() for module in graph.keys() | COMPILED}
    for module, targets in graph.items():
        folders[room(module)] |= {room(target) for target in targets} - {room(module)}
    assert not cycle_of(folders), "these import one another"


def prefix_of(module, prefixes):
    """Return the longest of some prefixes that a module belongs to, or None."""
    parts = module.split(".")[1:]
    candidates = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((prefix for prefix in candidates if prefix in prefixes), None)


@pytest.mark.parametrize("room", LIFTABLE)
def test_rooms_one_could_lift_out_import_the_contract(graph, room):
    needed = LIFTABLE[room]
    allowed = CONTRACT | needed | {room}
    modules = [module for module in graph if module.split(".")[1:2] == [room]]
    targets = {target for module in modules for target in graph[module]}
    used = {target: prefix_of(target, allowed) for target in sorted(targets)}
    assert modules
    assert [target for target, prefix in used.items() if prefix is None and target != f"crnn.{room}"] == []
    assert needed - set(used.values()) == set(), "no longer needed"


@pytest.mark.parametrize("room", LIFTABLE)
def test_nothing_below_the_public_classes_imports_a_room_one_could_lift_out(graph, room):
    """The public classes call a room in one method each; the command line and other such rooms may use it."""
    callers = {*FACADE, "cli", *LIFTABLE, ""}
    importing = [
        module
        for module, targets in graph.items()
        if prefix_of(module, callers) is None and any(target.split(".")[1:2] == [room] for target in targets)
    ]
    assert [module for module in importing if module != "crnn"] == []


def test_folders_of_kernels_have_no_cycles():
    kernels = ROOT / "src" / "crnn" / "_kernels"
    files = [path for path in kernels.rglob("*") if path.suffix in (".h", ".pxd", ".pxi", ".pyx")]
    headers = {path.name: path.parent.name for path in files}
    folders = {path.parent.name: set() for path in files}
    for path in files:
        text = path.read_text(encoding="utf-8")
        folders[path.parent.name] |= set(re.findall(r"^from \.\.(\w+)[\w.]* cimport", text, re.M))
        included = re.findall(r'^(?:#include|include|cdef extern from) "([\w.]+)"', text, re.M)
        folders[path.parent.name] |= {headers[name] for name in included}
    assert not cycle_of(folders), "these import one another"
    assert {"products", "threads"} <= folders["network"]  # the imports are found


def own_names(tree):
    """Return the private names that a module defines: functions, classes, variables and attributes."""
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id in ("self", "cls")
        ):
            own.add(node.attr)
    return own


def private_access(path):
    """Return the private names of other modules that a module reads, imports or quotes."""
    tree = parsed(path)
    own, found = own_names(tree), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            # An object's own attributes may come from a base class in another module.
            of_itself = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
            if not of_itself and node.attr not in NAMED_TUPLES:
                found.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.name for alias in node.names}
    return {name for name in found if re.fullmatch(r"_[a-z]\w*", name)} - own


def test_no_module_reads_what_is_private_to_another():
    modules = python_modules()
    own = {name: own_names(parsed(path)) for name, path in modules.items()}
    facade = {name for name in modules if prefix_of(name, FACADE)}
    of_facade = set().union(*(own[name] for name in facade))
    theirs = {name: set().union(*own.values()) - (of_facade if name in facade else set()) for name in modules}
    found = {f"{name}: {private}" for name, path in modules.items() for private in private_access(path) & theirs[name]}
    assert found == set()


def test_no_test_imports_a_module_of_tests():
    """What they share is in tests/helpers."""
    importing = re.compile(r"^(?:from|import) +(?:[\w.]+\.)?(test_\w+)", re.MULTILINE)
    paths = ROOT.joinpath("tests").rglob("*.py")
    assert {path.name: found for path in paths if (found := importing.findall(path.read_text("utf-8")))} == {}


def test_every_module_has_a_test_file_or_a_line_that_names_one():
    """The table is in CONTRIBUTING.md, with paths below src/crnn."""
    rows = re.findall(
        r"^\| (`.+) \| (`tests/.+) \|$", ROOT.joinpath("CONTRIBUTING.md").read_text("utf-8"), re.MULTILINE
    )
    listed = {path for modules, _ in rows for path in re.findall(r"`([\w/]+\.py)`", modules)}
    files = {path for _, tests in rows for path in re.findall(r"`(tests/[\w/]+\.py)`", tests)}
    tested = {path.stem.removeprefix("test_") for path in ROOT.joinpath("tests").rglob("test_*.py")}
    sources = ROOT / "src" / "crnn"
    without = {
        path.relative_to(sources).as_posix()
        for path in sources.rglob("*.py")
        if path.stem not in tested and not path.name.startswith("_") and "_kernels" not in path.parts
    }
    assert without == listed
    assert [path for path in sorted(files) if not (ROOT / path).is_file()] == []
