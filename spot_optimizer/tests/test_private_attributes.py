"""Private attributes of libraries that this code uses: an upgrade that drops one fails here."""

import inspect
from types import SimpleNamespace

import daphne.server  # isort: skip  # noqa: F401  # first: it installs the reactor

import pytest
from daphne.http_protocol import WebRequest
from django.core.handlers import asgi
from django.core.handlers.base import BaseHandler
from django_celery_results.backends.database import DatabaseBackend
from kombu.transport import redis
from twisted.internet.abstract import FileDescriptor
from twisted.web.http import HTTPChannel

from spot_optimizer.worker.broker import Channel


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (FileDescriptor, "dataBuffer"),
        (FileDescriptor, "offset"),
        (HTTPChannel, "_receivedHeaderSize"),
        (HTTPChannel, "_receivedHeaderCount"),
        (HTTPChannel, "_respondToBadRequestAndDisconnect"),
        (HTTPChannel, "_send100Continue"),
        (asgi.ASGIHandler, "read_body"),
        (asgi.ASGIHandler, "create_request"),
        (asgi.ASGIHandler, "send_response"),
        (asgi, "get_script_prefix"),
        (BaseHandler, "resolve_request"),
        (DatabaseBackend, "_get_extended_properties"),
        (redis.Channel, "_connparams"),
    ],
)
def test_the_library_still_has_it(owner, name):
    assert hasattr(owner, name)


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (HTTPChannel, "_version"),
        (WebRequest, "_response_started"),
        (asgi.ASGIHandler, "_handler_class"),
        (FileDescriptor, "_tempDataLen"),
    ],
)
def test_the_library_still_sets_it(owner, name):
    module = inspect.getmodule(owner)

    assert name in inspect.getsource(module)


def test_a_closed_broker_connection_is_a_connection_error():
    channel = Channel.__new__(Channel)
    channel.connection = SimpleNamespace(client=None)

    with pytest.raises(ConnectionError):
        channel._connparams()
