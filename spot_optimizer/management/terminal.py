"""Formats evaluations and lines for a terminal."""

from typing import Any

from rich.box import SIMPLE
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from spot_optimizer.dashboard.formats import hourly, percent, usd
from streaming.models import Line

STYLES = {"ERROR": "bold red", "WARNING": "yellow", "DEBUG": "dim", "INFO": ""}


def line_text(line: Line) -> Text:
    """Return the time, type and message of a line."""
    body = line.body
    message = body.get("message") or body.get("state") or body.get("reason") or line.type
    text = Text(f"{line.at:%H:%M:%S}  {body.get('log_type', line.type.upper()):<10} ")
    return text.append(str(message), style=STYLES[body.get("level", "INFO")])


def pools_table(outcome: dict[str, Any]) -> Table:
    """Return the best candidates by expected cost; the current pool is bold."""
    table = Table(title="Candidates, by expected cost [USD/h]", title_justify="left", box=SIMPLE)
    table.add_column("pool", overflow="fold")
    for name in ("price", "discount", "Advisor", "P(1 h)", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    current = outcome["current"]
    shown = outcome["candidates"] + ([] if current in outcome["candidates"] else [current])
    for pool in shown:
        table.add_row(
            _where(pool),
            _number(pool["price"]),
            "-" if pool["discount"] is None else f"{pool['discount']:.0%}",
            pool["interruption_rate"] or "-",
            "unknown" if pool["crash_probability"] is None else f"{pool['crash_probability']:.4%}",
            _number(pool["expected_cost"]),
            style="bold" if pool == current else "",
        )
    return table


def decision_panel(outcome: dict[str, Any]) -> Panel:
    target, savings = outcome["target"], outcome["projected_savings"]
    where = f" to {_where(target)}" if target else ""
    fallback = outcome.get("model_fallback")
    fallback_note = f"\n{fallback['reason']} Another model was used." if fallback else ""
    passed, considered = outcome["counts"]["kept"], outcome["counts"]["considered"]
    text = (
        f"{outcome['reason']}\n"
        f"Projected savings: {hourly(savings['hourly'])}, {usd(savings['monthly'])} a month "
        f"({percent(savings['percent'])}, by price alone). "
        f"{passed} of {considered} pools passed the filters.\n"
        f"Model {outcome['model']['name']} {outcome['model']['version']}, market as of "
        f"{outcome['market_as_of']}, inputs {outcome['inputs_hash'][:12]}.{fallback_note}"
    )
    return Panel(text, title=f"{outcome['decision']}{where}", title_align="left")


def _where(pool: dict[str, Any]) -> str:
    purchase = "" if pool["purchase"] == "spot" else " on demand"
    return f"{pool['instance_type']} in {pool['availability_zone']}{purchase}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
