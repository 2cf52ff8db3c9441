"""An evaluation for people at a terminal."""

from typing import Any

from rich.box import SIMPLE
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from spot_optimizer.dashboard.formats import hourly, percent, usd
from streaming.models import Line

STYLES = {"ERROR": "bold red", "WARNING": "yellow", "DEBUG": "dim", "INFO": ""}


def line_text(line: Line) -> Text:
    """One stored line, as it streams: time, kind, message."""
    body = line.body
    told = body.get("message") or body.get("state") or body.get("reason") or line.type
    text = Text(f"{line.at:%H:%M:%S}  {body.get('log_type', line.type.upper()):<10} ")
    return text.append(str(told), style=STYLES[body.get("level", "INFO")])


def pools_table(told: dict[str, Any]) -> Table:
    """The best candidates, the cheapest expected hour first; in bold, where the machine is."""
    table = Table(title="Candidates, by expected cost [USD/h]", title_justify="left", box=SIMPLE)
    table.add_column("pool", overflow="fold")
    for name in ("price", "discount", "Advisor", "P(1 h)", "cost"):
        table.add_column(name, justify="right", no_wrap=True)
    current = told["current"]
    shown = told["candidates"] + ([] if current in told["candidates"] else [current])
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


def decision_panel(told: dict[str, Any]) -> Panel:
    target, savings = told["target"], told["projected_savings"]
    where = f" to {_where(target)}" if target else ""
    fallback = told.get("model_fallback")
    instead = f"\n{fallback['reason']} So this is another model's." if fallback else ""
    kept, considered = told["counts"]["kept"], told["counts"]["considered"]
    text = (
        f"{told['reason']}\n"
        f"Projected savings: {hourly(savings['hourly'])}, {usd(savings['monthly'])} a month "
        f"({percent(savings['percent'])}, by price alone). {kept} of {considered} pools kept.\n"
        f"Model {told['model']['name']} {told['model']['version']}, market as of "
        f"{told['market_as_of']}, inputs {told['inputs_hash'][:12]}.{instead}"
    )
    return Panel(text, title=f"{told['decision']}{where}", title_align="left")


def _where(pool: dict[str, Any]) -> str:
    bought = "" if pool["purchase"] == "spot" else " on demand"
    return f"{pool['instance_type']} in {pool['availability_zone']}{bought}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
