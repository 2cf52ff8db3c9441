"""Pages whose console errors and failed requests fail the test that opened them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    WebError,
    WebSocket,
)

from spot_optimizer.tests.browser.users import BrowserUser, sign_in

DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
# Report-only policies and blocked style attributes fire this event but log no console error.
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) => console.error(
  `CSP violation: ${event.effectiveDirective} blocked ${event.blockedURI} ` +
  `at ${event.sourceFile}:${event.lineNumber}`));
"""
# Failed requests and error responses are recorded separately, with their URL.
FAILED_RESPONSE = "Failed to load resource"
HARMLESS = "net::ERR_ABORTED"  # the page moved on


class MonitoredPages:
    """The pages of one test and their problems."""

    def __init__(self, browser: Browser, base_url: str) -> None:
        self.browser, self.base_url = browser, base_url
        self.problems: list[str] = []
        self._expected: list[str] = []
        self._contexts: list[BrowserContext] = []

    async def open(
        self, person: BrowserUser | None = None, *, dark: bool = False, phone: bool = False
    ) -> Page:
        """Open a blank page in a new context, signed in if a person is given."""
        context = await self.browser.new_context(
            base_url=self.base_url,
            color_scheme="dark" if dark else "light",
            viewport=PHONE if phone else DESKTOP,
            has_touch=phone,
            reduced_motion="reduce",
        )
        self._contexts.append(context)
        await context.add_init_script(REPORT_VIOLATIONS)
        self._listen(context)
        if person:
            await sign_in(context, person)
        return await context.new_page()

    def expect(self, pattern: str) -> None:
        """Allow problems that match; the test fails if none occurs."""
        self._expected.append(pattern)

    async def close(self) -> None:
        for context in self._contexts:
            await context.close()

    def judge(self) -> None:
        unexpected = [
            each for each in self.problems if not any(re.search(p, each) for p in self._expected)
        ]
        missed = [p for p in self._expected if not any(re.search(p, e) for e in self.problems)]
        assert not unexpected, "The browser had problems:\n  " + "\n  ".join(unexpected)
        assert not missed, f"Expected in the browser, but it never came: {missed}"

    def _listen(self, context: BrowserContext) -> None:
        context.on("console", self._note_console)
        context.on("weberror", self._note_error)
        context.on("request", self._note_foreign)
        context.on("requestfailed", self._note_failed)
        context.on("response", self._note_refused)
        context.on("page", lambda page: page.on("websocket", self._note_socket))

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(FAILED_RESPONSE):
            self.problems.append(f"console: {message.text}")

    def _note_error(self, error: WebError) -> None:
        self.problems.append(f"uncaught: {error.error}")

    def _note_foreign(self, request: Request) -> None:
        if request.url.startswith("http") and not self._is_ours(request.url):
            self.problems.append(f"foreign request: {request.method} {request.url}")

    def _note_failed(self, request: Request) -> None:
        if self._is_ours(request.url) and request.failure != HARMLESS:
            self.problems.append(f"failed: {request.method} {request.url} ({request.failure})")

    def _note_refused(self, response: Response) -> None:
        if self._is_ours(response.url) and response.status >= 400:
            method, url = response.request.method, response.url
            self.problems.append(f"status {response.status}: {method} {url}")

    def _note_socket(self, socket: WebSocket) -> None:
        socket.on("socketerror", lambda error: self.problems.append(f"socket: {error}"))

    def _is_ours(self, url: str) -> bool:
        return url.startswith(self.base_url + "/")


@asynccontextmanager
async def monitored_pages(browser: Browser, base_url: str) -> AsyncIterator[MonitoredPages]:
    pages = MonitoredPages(browser, base_url)
    try:
        yield pages
    finally:
        await pages.close()
    pages.judge()
