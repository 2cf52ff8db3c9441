import os

from django.core.asgi import get_asgi_application

from spot_optimizer.first_start import check_environment

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spot_optimizer.settings")
check_environment()
http = get_asgi_application()  # sets Django up: what has models is imported behind it

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from streaming.routing import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {"http": http, "websocket": AuthMiddlewareStack(URLRouter(websocket_urlpatterns))}
)
