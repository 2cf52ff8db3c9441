"""How loud the log is: a refusal is no error of ours."""

import logging
from http import HTTPStatus

REFUSALS = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


class ToneDown(logging.Filter):
    """Make warnings of one line of refusals; an exception that nobody expected stays an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        is_host = record.name == "django.security.DisallowedHost"
        is_refused = getattr(record, "status_code", None) in REFUSALS and not record.exc_info
        if is_host or is_refused:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            record.exc_info = record.exc_text = None
        return True
