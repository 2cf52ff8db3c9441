"""The configured channel layer, but without all or some of the notifications."""

from random import Random
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from spot_optimizer.settings import CHANNEL_LAYERS

RealLayer: Any = import_string(CHANNEL_LAYERS["default"]["BACKEND"])


class SilentLayer(RealLayer):
    async def group_send(self, group, message):
        pass


class LossyLayer(RealLayer):
    """Loses half of the notifications, the same ones in each run."""

    random = Random(7)  # noqa: S311  # not for secrets

    async def group_send(self, group, message):
        if self.random.random() < 0.5:
            await super().group_send(group, message)


def with_layer(name: str) -> dict[str, Any]:
    return {
        "default": {
            **settings.CHANNEL_LAYERS["default"],
            "BACKEND": f"streaming.tests.layers.{name}",
        }
    }
