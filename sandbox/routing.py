from django.urls import re_path

from sandbox.consumers import SessionConsumer

# Whatever is asked for is accepted first and told why it is not there.
websocket_urlpatterns = [
    re_path(r"^api/v1/ws/sandbox/(?P<session_id>[^/]+)$", SessionConsumer.as_asgi()),
    re_path(r"", SessionConsumer.as_asgi()),
]
