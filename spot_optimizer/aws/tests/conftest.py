import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.aws.client.deadline import Deadline

KEY, SECRET, TOKEN = (
    "AKIAMARKEDKEY0000001",
    "markedSecret/0123456789+abcdefghijklmnop",
    "markedToken==",
)


class FakeAws(ThreadingHTTPServer):
    """An HTTP server that returns the responses a test sets, and records the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RequestHandler)
        self.responses: list[tuple[int, bytes, dict[str, str]]] = []
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.stopped = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def respond(self, body, status=200, times=1, **headers):
        content = body.encode() if isinstance(body, str) else body
        self.responses += [(status, content, headers)] * times

    def respond_error(self, code, message="", status=400, times=1):
        self.respond(
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            f"</Errors><RequestID>1</RequestID></Response>",
            status,
            times,
        )

    def stop_responding(self):
        """Accept the next requests and never respond to them."""
        self.responses = []


class _RequestHandler(BaseHTTPRequestHandler):
    server: FakeAws

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.server.requests.append(self.rfile.read(length).decode() or self.path)
        self.server.headers.append(dict(self.headers))
        if not self.server.responses:
            self.server.stopped.wait()
            return
        status, body, headers = self.server.responses.pop(0)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST  # noqa: N815  # http.server names it

    def log_message(self, *_):
        pass


@pytest.fixture
def fake_aws(settings) -> Iterator[FakeAws]:
    server = FakeAws()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    settings.AWS_ENDPOINT_URL = server.url
    yield server
    server.stopped.set()
    server.shutdown()
    server.server_close()


def an_access(region="us-east-1", read_timeout=5.0, **credentials):
    keys = {"access_key": KEY, "secret_key": SECRET, "session_token": TOKEN} | credentials
    return AwsAccess(Credentials(**keys), region, read_timeout)


def soon(seconds=20):
    return Deadline.after(seconds)


@pytest.fixture
def access(emulator, settings) -> AwsAccess:
    """The emulator's account, in the region of its first instance."""
    settings.AWS_ENDPOINT_URL = emulator.url
    region = emulator.instances()[0]["region"]
    return AwsAccess(Credentials(emulator.access_key, emulator.secret_key), region)
