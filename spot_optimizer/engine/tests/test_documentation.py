"""Every public function of the engine documents arguments, results and errors (numpydoc)."""

import ast
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[1]


PUBLIC_FUNCTIONS = [
    pytest.param(node, id=f"{path.stem}.{node.name}")
    for path in sorted(ENGINE.rglob("*.py"))
    if "tests" not in path.parts
    for node in ast.parse(path.read_text()).body
    if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
]


@pytest.mark.parametrize("function", PUBLIC_FUNCTIONS)
def test_a_public_function_documents_its_arguments_and_result(function):
    text = ast.get_docstring(function) or ""
    returns = not (isinstance(function.returns, ast.Constant) and function.returns.value is None)

    assert "Parameters\n----------" in text
    assert not returns or "Returns\n-------" in text
    names = [each.arg for each in (*function.args.args, *function.args.kwonlyargs)]
    listed = text.partition("Parameters\n----------")[2].partition("\n\n")[0]
    assert all(name in listed for name in names)


@pytest.mark.parametrize("function", PUBLIC_FUNCTIONS)
def test_a_public_function_that_raises_documents_the_error(function):
    raises = any(isinstance(node, ast.Raise) for node in ast.walk(function))

    assert not raises or "Raises\n------" in (ast.get_docstring(function) or "")
