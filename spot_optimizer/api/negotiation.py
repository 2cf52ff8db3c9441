from collections.abc import Iterable

from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer


class ContentNegotiation(DefaultContentNegotiation):
    """An unknown ``?format=`` is a 406, as an unknown ``Accept`` is; DRF's own answers 404."""

    def filter_renderers(
        self,
        renderers: Iterable[BaseRenderer],
        format: str,
    ) -> list[BaseRenderer]:
        matching = [renderer for renderer in renderers if renderer.format == format]
        if not matching:
            raise NotAcceptable
        return matching
