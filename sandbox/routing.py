from django.urls import re_path

from sandbox.consumers import SessionConsumer

# The consumer accepts any path, then sends an error that says why it closes.
websocket_urlpatterns = [
    re_path(r"^api/v1/ws/sandbox/(?P<session_id>[^/]+)$", SessionConsumer.as_asgi()),
    re_path(r"", SessionConsumer.as_asgi()),
]
