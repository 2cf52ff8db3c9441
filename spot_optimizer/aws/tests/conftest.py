import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from spot_optimizer.aws.clients import AwsAccess
from spot_optimizer.aws.credentials import Credentials
from spot_optimizer.aws.deadline import Deadline

KEY, SECRET, TOKEN = (
    "AKIAMARKEDKEY0000001",
    "markedSecret/0123456789+abcdefghijklmnop",
    "markedToken==",
)


class Wire(ThreadingHTTPServer):
    """An AWS that answers what a test tells it to, over HTTP, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.answers: list[tuple[int, bytes, dict[str, str]]] = []
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.woken = threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def says(self, body, status=200, times=1, **headers):
        content = body.encode() if isinstance(body, str) else body
        self.answers += [(status, content, headers)] * times

    def refuses(self, code, message="", status=400, times=1):
        self.says(
            f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            f"</Errors><RequestID>1</RequestID></Response>",
            status,
            times,
        )

    def is_silent(self):
        """Accept the next requests and answer nothing until the test is over."""
        self.answers = []


class _Answer(BaseHTTPRequestHandler):
    server: Wire

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.server.asked.append(self.rfile.read(length).decode() or self.path)
        self.server.headers.append(dict(self.headers))
        if not self.server.answers:
            self.server.woken.wait()
            return
        status, body, headers = self.server.answers.pop(0)
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
def wire(settings) -> Iterator[Wire]:
    server = Wire()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
    settings.AWS_ENDPOINT_URL = server.url
    yield server
    server.woken.set()
    server.shutdown()
    server.server_close()


def an_access(region="us-east-1", read_timeout=5.0, **credentials):
    keys = {"access_key": KEY, "secret_key": SECRET, "session_token": TOKEN} | credentials
    return AwsAccess(Credentials(**keys), region, read_timeout)


def soon(seconds=20):
    return Deadline.after(seconds)


@pytest.fixture
def access(emulator, settings) -> AwsAccess:
    """The emulator's account, in the region where its machines are."""
    settings.AWS_ENDPOINT_URL = emulator.url
    region = emulator.instances()[0]["region"]
    return AwsAccess(Credentials(emulator.access_key, emulator.secret_key), region)
