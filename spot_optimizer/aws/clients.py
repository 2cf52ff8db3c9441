"""How we get at AWS: with one account's credentials, in one region, within a budget of time."""

import os
import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import CredentialResolver
from botocore.session import Session
from botocore.utils import parse_timestamp
from django.conf import settings

from spot_optimizer.aws.botocore_loader import PolicyLoader
from spot_optimizer.aws.call_metrics import count_calls
from spot_optimizer.aws.credentials import Credentials, signing_keys
from spot_optimizer.aws.deadline import deadline_in_force
from spot_optimizer.errors import AwsRefused

CONNECT_TIMEOUT = 3  # [s]
READ_TIMEOUT = 10  # [s]
RETRIES = {"mode": "adaptive", "total_max_attempts": 3}  # "max_attempts" would not count the first
# The Price List and the Advisor feed are served for all regions from this one.
HOME_REGION = "us-east-1"
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}")  # it becomes part of a host name
ROLE_SESSION_NAME = "spot-optimizer"

# Nothing of the host's own credentials, profiles or configuration may get into a user's session.
NOTHING_AMBIENT = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
_making = threading.Lock()  # botocore's sessions are not safe across threads; clients are


@dataclass(frozen=True, slots=True, repr=False)
class AwsAccess:
    """One account's credentials in one region. Clients are made when first asked for, and kept."""

    credentials: Credentials
    region: str
    read_timeout: float = READ_TIMEOUT
    _clients: dict[str, Any] = field(default_factory=dict, init=False, compare=False)

    def __repr__(self) -> str:
        return f"AwsAccess({self.credentials!r} in {self.region})"

    def client(self, service: str) -> Any:
        """
        Return the client of ``service``; the first one assumes the role, where there is one.

        Call it inside ``translated_errors``.

        :raises AwsRefused: region or credentials can be none of AWS's, whatever AWS would say
        """
        if service not in self._clients:
            region = HOME_REGION if service == "pricing" else self.region
            config = _config(read_timeout=self.read_timeout)
            self._clients[service] = _client(service, region, config, **self._keys())
        return self._clients[service]

    def _keys(self) -> dict[str, str | None]:
        own = self.credentials
        keys = signing_keys(own.access_key, own.secret_key, own.session_token)
        if not own.role_arn:
            return keys
        if "role" not in self._clients:
            config = _config(read_timeout=self.read_timeout)
            self._clients["role"] = _assumed(_client("sts", self.region, config, **keys), own)
        role: dict[str, str | None] = self._clients["role"]
        return role


def public_client(service: str, *, read_timeout: float = READ_TIMEOUT) -> Any:
    """Return a client that shows no credentials, for what AWS gives to everybody."""
    config = _config(read_timeout=read_timeout, signature_version=UNSIGNED)
    return _client(service, HOME_REGION, config)


def _assumed(sts: Any, credentials: Credentials) -> dict[str, str | None]:
    asked = {"RoleArn": credentials.role_arn, "RoleSessionName": ROLE_SESSION_NAME}
    if credentials.external_id:
        asked["ExternalId"] = credentials.external_id
    given = sts.assume_role(**asked)["Credentials"]
    return signing_keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _config(*, read_timeout: float, **more: Any) -> Config:
    options: dict[str, Any] = {
        "connect_timeout": min(CONNECT_TIMEOUT, read_timeout),
        "read_timeout": read_timeout,
        "retries": RETRIES,
        "ignore_configured_endpoint_urls": True,
        "user_agent_appid": ROLE_SESSION_NAME,
    }
    if settings.AWS_ENDPOINT_URL:
        options["s3"] = {"addressing_style": "path"}  # a bucket has no host name of its own there
    return Config(**options, **more)


def _client(service: str, region: str, config: Config, **keys: Any) -> Any:
    if not REGION.fullmatch(region):
        raise AwsRefused(
            "This is no AWS region. Its name looks like us-east-1.", aws_code="InvalidRegion"
        )
    with _making:
        client = _session().create_client(
            service,
            region_name=region,
            endpoint_url=settings.AWS_ENDPOINT_URL or None,
            config=config,
            **keys,
        )
    client.meta.events.register("before-send", _check_deadline)
    count_calls(client)
    return client


@cache
def _session() -> Session:
    session = Session(session_vars=NOTHING_AMBIENT)
    session.register_component("data_loader", PolicyLoader())
    # Or the client that shows no credentials would look for some, the metadata service included.
    session.register_component("credential_provider", CredentialResolver(providers=[]))
    # A price history has thousands of times; botocore's parser guesses the form of each.
    parsers = session.get_component("response_parser_factory")
    parsers.set_parser_defaults(timestamp_parser=_timestamp)
    return session


def _timestamp(value: Any) -> datetime:
    time: datetime
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        time = parse_timestamp(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _check_deadline(**_: object) -> None:
    deadline = deadline_in_force.get()
    if deadline is not None:
        deadline.check()
