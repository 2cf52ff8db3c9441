"""Views of the OpenAPI schema and its documentation."""

from typing import Any

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class JsonErrors(APIView):
    """A view whose successful responses have another format, but whose errors are JSON."""

    http_method_names = ["get", "head"]

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        finalized: Response = super().finalize_response(request, response, *args, **kwargs)
        if getattr(finalized, "exception", False):
            finalized.accepted_renderer = JSONRenderer()
            finalized.accepted_media_type = JSONRenderer.media_type
        return finalized


class SchemaView(JsonErrors, SpectacularAPIView):
    pass


class DocsView(JsonErrors, SpectacularSwaggerSplitView):
    # The split view has no inline script, which the content security policy would block.
    pass
