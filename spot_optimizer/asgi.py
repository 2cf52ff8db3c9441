import os

import django

from spot_optimizer.first_start import check_environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spot_optimizer.settings")
check_environment()
django.setup(set_prefix=False)  # what has models is imported behind it

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from spot_optimizer.handler import Handler  # noqa: E402
from streaming.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {"http": Handler(), "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns))}
)
