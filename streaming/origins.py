from collections.abc import Iterable

from django.conf import settings
from django.http.request import split_domain_port, validate_host

from spot_optimizer.errors import Forbidden


class ForeignOrigin(Forbidden):
    code = "foreign_origin"


def check_origin(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """
    Accept our own origin, those of ``CORS_ALLOWED_ORIGINS``, and requests without an origin.

    Clients other than browsers send none.

    :raises ForeignOrigin: the origin is another site, whose pages could use a user's cookie
    """
    sent = {name: value.decode("latin-1") for name, value in headers}
    origin = sent.get(b"origin")
    if origin is None or origin in settings.CORS_ALLOWED_ORIGINS:
        return
    if not _is_ours(origin, host=sent.get(b"host", "")):
        raise ForeignOrigin(f"Pages of {origin[:200]} may not connect. See CORS_ALLOWED_ORIGINS.")


def _is_ours(origin: str, *, host: str) -> bool:
    scheme, _, netloc = origin.partition("://")
    domain, _ = split_domain_port(host)
    # DNS rebinding: the host must be one of ours, not just equal to the origin.
    return (
        scheme in ("http", "https")
        and netloc.lower() == host.lower()
        and validate_host(domain, settings.ALLOWED_HOSTS)
    )
