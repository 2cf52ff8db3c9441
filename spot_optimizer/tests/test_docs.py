"""What the documents name is there."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "bench/README.md",
    ROOT / "drills/README.md",
]
EXAMPLE = (ROOT / ".env.example").read_text()

documents = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


@documents
def test_tests_it_names_are_there(document):
    for path, name in re.findall(r"`([\w/]+\.py)::(\w+)`", document.read_text()):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"


@documents
def test_files_and_folders_it_names_are_there(document):
    project = "spot_optimizer|accounts|sandbox|lab|streaming|bench|drills|docs"
    for path in re.findall(rf"`((?:{project})/[\w/.]*\w/?)", document.read_text()):
        assert (ROOT / path).exists(), path


@documents
def test_commands_it_names_are_there(document):
    named = set(re.findall(r"manage\.py ([a-z_]+)", document.read_text()))

    assert named <= set(get_commands())


@documents
def test_files_it_links_to_are_there(document):
    for link in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
        target = document.parent / link
        assert target.exists() or target.with_suffix(".md").exists(), link


@documents
def test_variables_in_its_tables_are_in_the_example_of_an_environment(document):
    cells = re.findall(r"^\| ((?:`[A-Z_]{3,}`(?:, )?)+) \|", document.read_text(), re.MULTILINE)
    for name in re.findall(r"`([A-Z_]+)`", " ".join(cells)):
        if "_" in name or name == "ENV":
            assert f"{name}=" in EXAMPLE, name


def test_metrics_it_names_are_there():
    text = (ROOT / "docs/operations.md").read_text()
    sources = ["observability/metrics.py", "operations/database_metrics.py"]
    code = "".join((ROOT / "spot_optimizer" / source).read_text() for source in sources)

    named = set(re.findall(r"`(?:\w+\()?spot_optimizer_([a-z_]+)", text))
    assert len(named) > 3
    for name in named:
        assert re.search(rf'"(spot_optimizer_)?{name.removesuffix("_total")}"', code), name


def test_every_invariant_of_the_security_model_has_a_test():
    text = (ROOT / "docs/security.md").read_text()
    table = text.partition("## Invariants")[2].partition("\n## ")[0]
    rows = [row for row in table.splitlines() if row.startswith("| ")][1:]

    assert len(rows) > 15
    for row in rows:
        assert re.search(r"`[\w/]+\.py::\w+`", row), row
