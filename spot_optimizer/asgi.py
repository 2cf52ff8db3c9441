import os

import django

from spot_optimizer.bootstrap.secrets import check_environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spot_optimizer.settings")
check_environment()
django.setup(set_prefix=False)  # before any import of models

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from sandbox.routing import websocket_urlpatterns  # noqa: E402
from spot_optimizer.server.asgi_handler import Handler  # noqa: E402

application = ProtocolTypeRouter(
    {"http": Handler(), "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns))}
)
