"""Start the platform's configuration in this process, under another environment."""

import os
import sys
from collections.abc import Mapping
from unittest import mock

import pytest
from django.conf import LazySettings

import spot_optimizer
from spot_optimizer.bootstrap.secrets import check_environment, generate_missing_secrets

SETTINGS = "spot_optimizer.settings"


def startup_error(environment: Mapping[str, str]) -> str:
    """Return the message with which every process of the platform refuses this environment."""
    variables = {**environment, "DJANGO_SETTINGS_MODULE": SETTINGS}
    with (
        mock.patch.dict(os.environ, variables, clear=True),
        mock.patch.dict(sys.modules),
        mock.patch.object(spot_optimizer, "settings"),
        mock.patch("django.conf.settings", LazySettings()),
    ):
        sys.modules.pop(SETTINGS)
        generate_missing_secrets()
        with pytest.raises(SystemExit) as refusal:
            check_environment()
    return str(refusal.value.code)
