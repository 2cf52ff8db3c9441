"""botocore clients: for one account's credentials, in one region, bounded by a deadline."""

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import CredentialResolver
from botocore.session import Session
from botocore.utils import parse_timestamp
from django.conf import settings

from spot_optimizer.aws.client.botocore_loader import PolicyLoader
from spot_optimizer.aws.client.call_metrics import count_calls
from spot_optimizer.aws.client.credentials import Credentials, signing_keys
from spot_optimizer.aws.client.deadline import Deadline, deadline_in_force
from spot_optimizer.aws.client.errors import translated_errors
from spot_optimizer.errors import AwsRefused

CONNECT_TIMEOUT = 3  # [s]
READ_TIMEOUT = 10  # [s]
# "total_max_attempts" includes the first attempt, "max_attempts" does not.
RETRIES = {"mode": "adaptive", "total_max_attempts": 3}
# The Price List and the Spot Advisor are served for all regions from this one.
HOME_REGION = "us-east-1"
REGION = re.compile(r"[a-z]{2,4}(-[a-z]+){1,3}-[0-9]{1,2}")  # it becomes part of a host name
ROLE_SESSION_NAME = "spot-optimizer"

# The host's own credentials, profiles and configuration must not affect a user's session.
IGNORE_HOST_CONFIGURATION = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}
_create_lock = threading.Lock()  # botocore sessions are not thread-safe; clients are

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, repr=False)
class AwsAccess:
    """One account's credentials in one region. Clients are created on first use and cached."""

    credentials: Credentials
    region: str
    read_timeout: float = READ_TIMEOUT
    _clients: dict[str, Any] = field(default_factory=dict, init=False, compare=False)

    def __repr__(self) -> str:
        return f"AwsAccess({self.credentials!r} in {self.region})"

    def client(self, service: str) -> Any:
        """
        Return the client of ``service``; the first call assumes the role, if there is one.

        Call it inside ``translated_errors``.

        :raises AwsRefused: the region or the credentials are malformed; nothing was sent to AWS
        """
        if service not in self._clients:
            region = HOME_REGION if service == "pricing" else self.region
            config = _config(read_timeout=self.read_timeout)
            self._clients[service] = _client(service, region, config, **self._keys())
        return self._clients[service]

    def pages(
        self,
        service: str,
        method: str,
        parameters: Mapping[str, Any],
        parse: Callable[[Mapping[str, Any]], list[Row]],
        *,
        deadline: Deadline,
    ) -> Iterator[list[Row]]:
        """
        Call a paged operation until it returns no ``NextToken``; yield each parsed page.

        :raises AwsRefused: AWS returned an error
        :raises AwsTimeout: AWS did not respond, or not before the deadline
        """
        request = dict(parameters)
        while True:
            # The context ends before the yield: the caller's own code must not run inside it.
            with translated_errors(deadline):
                response = getattr(self.client(service), method)(**request)
                page, token = parse(response), response.get("NextToken")
            yield page
            if not token:
                return
            request["NextToken"] = token

    def _keys(self) -> dict[str, str | None]:
        given = self.credentials
        keys = signing_keys(given.access_key, given.secret_key, given.session_token)
        if not given.role_arn:
            return keys
        if "role" not in self._clients:
            config = _config(read_timeout=self.read_timeout)
            sts = _client("sts", self.region, config, **keys)
            self._clients["role"] = _assume_role(sts, given)
        role: dict[str, str | None] = self._clients["role"]
        return role


def public_client(service: str, *, read_timeout: float = READ_TIMEOUT) -> Any:
    """Return a client that does not sign its requests, for public data."""
    config = _config(read_timeout=read_timeout, signature_version=UNSIGNED)
    return _client(service, HOME_REGION, config)


def _assume_role(sts: Any, credentials: Credentials) -> dict[str, str | None]:
    request = {"RoleArn": credentials.role_arn, "RoleSessionName": ROLE_SESSION_NAME}
    if credentials.external_id:
        request["ExternalId"] = credentials.external_id
    keys = sts.assume_role(**request)["Credentials"]
    return signing_keys(keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"])


def _config(*, read_timeout: float, **more: Any) -> Config:
    options: dict[str, Any] = {
        "connect_timeout": min(CONNECT_TIMEOUT, read_timeout),
        "read_timeout": read_timeout,
        "retries": RETRIES,
        "ignore_configured_endpoint_urls": True,
        "user_agent_appid": ROLE_SESSION_NAME,
    }
    if settings.AWS_ENDPOINT_URL:
        options["s3"] = {"addressing_style": "path"}  # buckets have no host names of their own
    return Config(**options, **more)


def _client(service: str, region: str, config: Config, **keys: Any) -> Any:
    if not REGION.fullmatch(region):
        raise AwsRefused(
            "Not an AWS region. A region's name looks like us-east-1.", aws_code="InvalidRegion"
        )
    with _create_lock:
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
    session = Session(session_vars=IGNORE_HOST_CONFIGURATION)
    session.register_component("data_loader", PolicyLoader())
    # Without this, the unsigned client would search for credentials, at the metadata service too.
    session.register_component("credential_provider", CredentialResolver(providers=[]))
    # A price history has thousands of timestamps, and botocore's parser guesses each one's format.
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
