"""Accessibility checks with axe, injected by Playwright, so that the page's CSP is unchanged."""

from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

GRAVE = ("serious", "critical")


async def check_accessibility(page: Page) -> None:
    """Fail on every violation that axe calls serious or critical."""
    found = (await Axe().run(page)).response["violations"]
    grave = [_described(each) for each in found if each["impact"] in GRAVE]
    assert not grave, f"{page.url} is hard to use for some:\n" + "\n".join(grave)


def _described(violation: dict[str, Any]) -> str:
    head = f"{violation['impact']}: {violation['help']} ({violation['id']})"
    return "\n".join([head, *(_where(node) for node in violation["nodes"])])


def _where(node: dict[str, Any]) -> str:
    summary = node["failureSummary"].replace("\n", " ")
    return f"  {node['target'][-1]}: {node['html'][:160]}\n    {summary}"
