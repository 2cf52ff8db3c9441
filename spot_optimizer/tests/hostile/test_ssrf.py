"""No URL and no region that a user gives leads the platform anywhere but where it should go."""

import re
import socketserver
import threading

import pytest

from accounts.testing import a_user, signed_in
from sandbox.models import SandboxSession
from spot_optimizer.aws.client.access import AwsAccess
from spot_optimizer.aws.client.credentials import Credentials
from spot_optimizer.aws.client.deadline import Deadline
from spot_optimizer.aws.identity import caller_identity
from spot_optimizer.errors import AwsRefused, AwsTimeout

SESSIONS = "/api/v1/sandbox/sessions"
BODY = {
    "instance_id": "i-1",
    "instance_type": "m5.large",
    "availability_zone": "us-east-1a",
    "aws_access_key": "AKIA...",
    "aws_secret_key": "...",
    "aws_region": "us-east-1",
}
INWARD = [
    "http://localhost/",
    "http://LOCALHOST:8000/admin/",
    "http://localhost./",
    "http://a.localhost/",
    "http://printer.local/",
    "http://127.0.0.1:6379/",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://0.1.2.3/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://100.100.100.200/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://[::1]/",
    "http://[::]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[fe80::1]/",
    "http://[fd00:ec2::254]/",
    "http://metadata.google.internal/",
    "http://metadata.google.internal./",
    "http://instance-data/",
    "http://2130706433/",
    "http://0x7f.0.0.1/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
    "http://user:password@203.0.113.7/",
    "http://203.0.113.7@127.0.0.1/",
    "http://127.0.0.1#@203.0.113.7/",
    "http://203.0.113.7\\@127.0.0.1/",
    "http://@203.0.113.7/",
    "ftp://203.0.113.7/",
    "ftps://203.0.113.7/",
    "file:///etc/passwd",
    "gopher://203.0.113.7:6379/_FLUSHALL",
    "javascript:alert(1)",
    "data:text/html,x",
    "//203.0.113.7/",
    "http:203.0.113.7",
    "http://",
    "http://[",
    "http://203.0.113.7:99999/",
    "http://203.0.113.7/\r\nHost: evil",
    "http://203.0.113.7/ HTTP/1.1",
    "\thttp://127.0.0.1/",
    " http://localhost/ ",
    "x",
    7,
    True,
    [],
    {},
]
OUTWARD = [
    "http://203.0.113.7/",
    "https://203.0.113.7:8443/health?x=1#y",
    "http://10.0.3.7/health",
    "http://[2001:db8::7]:8080/",
    "https://health.example.com/ready",
    "http://ec2-203-0-113-7.compute-1.amazonaws.com/",
    "",
]
REGIONS = [
    "us-east-1",
    "us-gov-east-1",
    "us-isob-east-1",
    "eusc-de-east-1",
    "xx-nowhere-9",
    "zz-a-b-c-99",
    "evil.example/",
    "us-east-1.evil.example",
    "us-east-1/",
    "us-east-1#",
    "us-east-1?",
    "x@evil",
    "us-east-1@evil",
    "us-east-1:80",
    "us-east-1\\",
    "us-east-1\na",
    "us-east-1\0",
    "us-east-\u0661",
    "us-east-1\u3002evil",
    "../us-east-1",
    "localhost",
    "127.0.0.1",
    "[::1]",
    "evil:443#-1",
    "us,evil",
    "US-EAST-1",
    "",
    " ",
    "-",
    "aws-global",
    "us-east-1%00",
    "us-east-100",
    "a" * 64 + "-east-1",
]


@pytest.fixture
def client(db):
    return signed_in(a_user())


@pytest.mark.parametrize("url", INWARD, ids=lambda url: repr(url)[:40])
def test_a_health_check_of_our_own_network_is_refused(client, url):
    answer = client.post(SESSIONS, BODY | {"health_check_url": url}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    [sentence] = answer.json()["errors"]["health_check_url"]
    assert sentence.endswith(".")
    assert not SandboxSession.objects.exists()


@pytest.mark.parametrize("url", OUTWARD)
def test_a_health_check_of_the_instance_is_accepted(client, url):
    answer = client.post(SESSIONS, BODY | {"health_check_url": url}, format="json")

    assert answer.status_code == 201, answer.content
    assert SandboxSession.objects.get().health_check_url == url


READ = r"""[."']health_check_url"""


def test_no_code_reads_a_health_check_url_yet():
    """Code that does must connect to the instance's own addresses only; then remove this test."""
    from spot_optimizer.settings import BASE_DIR

    apps = ["accounts", "lab", "sandbox", "spot_optimizer", "streaming"]
    sources = [
        path
        for app in apps
        for path in (BASE_DIR / app).glob("**/*.py")
        if not {"tests", "migrations"} & set(path.parts)
    ]

    assert sources
    assert not [each for each in sources if re.search(READ, each.read_text())]


class Proxy(socketserver.ThreadingTCPServer):
    """The way out to AWS, which notes where somebody wants to go and lets nobody through."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Refusing)
        self.requests = []


class _Refusing(socketserver.StreamRequestHandler):
    def handle(self):
        self.server.requests.append(self.rfile.readline().decode())
        self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def proxy(monkeypatch, settings):
    settings.AWS_ENDPOINT_URL = ""
    with Proxy() as proxy:
        threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01}).start()
        for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.server_address[1]}")
        yield proxy
        proxy.shutdown()


@pytest.mark.parametrize("region", REGIONS, ids=repr)
def test_no_region_leads_to_another_host_than_awss(proxy, region):
    access = AwsAccess(Credentials("AKIAPLANTED", "planted"), region, 1.0)

    with pytest.raises((AwsRefused, AwsTimeout)) as refusal:
        caller_identity(access, deadline=Deadline.after(1.5))

    is_region = re.fullmatch(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}", region)
    assert bool(proxy.requests) is bool(is_region), refusal.value
    for line in proxy.requests:
        assert re.fullmatch(
            r"CONNECT sts\.[a-z0-9-]+\.(amazonaws|sc2s\.sgov|amazonaws-eusc|amazonaws)\.\w+:443 "
            r"HTTP/1.[01]\r\n",
            line,
        ), line
    assert is_region or refusal.value.code == "aws_InvalidRegion"


@pytest.mark.parametrize("region", REGIONS, ids=repr)
def test_what_could_be_no_region_opens_no_session(client, region):
    answer = client.post(SESSIONS, BODY | {"aws_region": region}, format="json")

    is_region = re.fullmatch(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}", region)
    assert answer.status_code == (201 if is_region else 400), answer.content
    assert is_region or list(answer.json()["errors"]) == ["aws_region"]
