"""Rules about the engine's imports."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ENGINE = Path(__file__).resolve().parents[1]
ROOT = ENGINE.parents[1]
ALLOWED = {
    "collections",
    "dataclasses",
    "enum",
    "functools",
    "hashlib",
    "json",
    "math",
    "numpy",
    "re",
    "sys",
    "typing",
}
SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ENGINE.rglob("*.py")
    if "tests" not in path.parts
}


def imports_of(path):
    """Return all imported modules, also those in functions and under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_engine_imports_only_itself_numpy_and_pure_standard_modules():
    imported = set().union(*map(imports_of, SOURCES.values()))
    outside = {name for name in imported if not name.startswith("spot_optimizer.engine")}

    assert {name.partition(".")[0] for name in outside} <= ALLOWED


def test_no_engine_module_imports_itself_through_others():
    graph = {name: imports_of(path) & SOURCES.keys() for name, path in SOURCES.items()}

    TopologicalSorter(graph).prepare()  # raises CycleError, which names the cycle


def test_imports_are_at_the_top_of_engine_modules():
    for path in SOURCES.values():
        tree = ast.parse(path.read_text())
        at_top = {node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)}
        every = {n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)}

        assert every == at_top, path


def test_the_contract_of_the_engine_follows_indirect_imports():
    contracts = (ROOT / ".importlinter").read_text().split("[importlinter:contract:")
    engine = next(each for each in contracts if each.startswith("engine]"))

    assert "source_modules = spot_optimizer.engine" in engine
    assert "allow_indirect_imports" not in engine
