from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from spot_optimizer.emulator.testing import EmulatorClient

Aws = Callable[..., Any]
SESSION = boto3.Session()  # shared, because it caches the service models


@pytest.fixture
def aws(emulator: EmulatorClient) -> Aws:
    """A factory of boto3 clients with the demo account's keys; keywords replace the defaults."""

    def client(service: str, region: str = "us-east-1", **replaced: Any) -> Any:
        options = {
            "endpoint_url": emulator.url,
            "aws_access_key_id": emulator.access_key,
            "aws_secret_access_key": emulator.secret_key,
            "config": Config(retries={"total_max_attempts": 1}),
        }
        return SESSION.client(service, region_name=region, **(options | replaced))

    return client
