from collections.abc import Iterable

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from spot_optimizer.errors import Forbidden


class ForeignOrigin(Forbidden):
    code = "foreign_origin"


def check_origin(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """
    Let in our own pages, those of ``CORS_ALLOWED_ORIGINS``, and whoever is no browser.

    :raises ForeignOrigin: a page of another site asks, perhaps with our user's cookie
    """
    sent = {name: value.decode("latin-1") for name, value in headers}
    origin = sent.get(b"origin")
    if origin is None or origin in settings.CORS_ALLOWED_ORIGINS:
        return
    if not _is_ours(origin, host=sent.get(b"host", "")):
        raise ForeignOrigin(f"Pages of {origin[:200]} may not watch. See CORS_ALLOWED_ORIGINS.")


def _is_ours(origin: str, *, host: str) -> bool:
    scheme, _, netloc = origin.partition("://")
    domain, _ = split_domain_port(host)
    # A name that somebody pointed at this machine is no name of ours.
    return (
        scheme in ("http", "https")
        and netloc.lower() == host.lower()
        and validate_host(domain, settings.ALLOWED_HOSTS)
    )
