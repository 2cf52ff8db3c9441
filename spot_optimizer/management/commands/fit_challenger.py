"""Fit the market logistic on recorded data, and compare it with the champion on later data."""

import hashlib
import json
from argparse import ArgumentParser
from pathlib import Path
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from lab.registry.artifacts import SHIPPED, load_file
from lab.training.records import read_records
from lab.training.split_2022 import FILES, evaluate, train


class Command(BaseCommand):
    help = (
        "Fit the market logistic and write it as an artifact; print the scores of both models "
        "on data from after the training period. The same data gives the same bytes."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--data", type=Path, required=True, help="such as ../shared/data")
        parser.add_argument("--out", type=Path, required=True, help="the artifact, a .json file")
        parser.add_argument("--report", type=Path, help="all scores, as a .json file")

    def handle(self, *, data: Path, out: Path, report: Path | None, **_: Any) -> None:
        console = Console(file=cast("IO[str]", self.stdout), soft_wrap=True)
        champion = load_file(str(SHIPPED / "advisor_prior_1.json")).model
        try:
            records = read_records(data, FILES)
            fitted = train(records)
            scores_by_slice = evaluate(data, records, fitted, champion)
        except FileNotFoundError as error:
            raise CommandError(f"A table is missing: {error}") from error
        content = _json(fitted.model.artifact())
        out.write_text(content)
        if report:
            report.write_text(_json(scores_by_slice))
        for name, scores in scores_by_slice.items():
            console.print(_table(name, scores))
        console.print(fitted.model.describe())
        console.print(f"{out.name}: sha256 {hashlib.sha256(content.encode()).hexdigest()}")


def _table(name: str, scores: dict[str, Any]) -> Table:
    facts = ", ".join(f"{key} {value}" for key, value in scores["slice"].items())
    models = [key for key in scores if key != "slice"]
    table = Table(title=f"{name}: {facts}", title_justify="left")
    for column in ("", *models):
        table.add_column(column)
    for score in scores[models[0]]:
        table.add_row(score, *(f"{scores[model][score]:.4f}" for model in models))
    return table


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"
