from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from spot_optimizer.emulator.testing import (  # noqa: F401 - fixtures
    EmulatorClient,
    emulator,
    reset_emulator,
)

Aws = Callable[..., Any]
SESSION = boto3.Session()  # it keeps what it has read of the service models


@pytest.fixture
def aws(emulator: EmulatorClient) -> Aws:  # noqa: F811
    """A maker of boto3 clients with the demo account's keys; keywords replace what they name."""

    def client(service: str, region: str = "us-east-1", **replaced: Any) -> Any:
        options = {
            "endpoint_url": emulator.url,
            "aws_access_key_id": emulator.access_key,
            "aws_secret_access_key": emulator.secret_key,
            "config": Config(retries={"total_max_attempts": 1}),
        }
        return SESSION.client(service, region_name=region, **(options | replaced))

    return client
