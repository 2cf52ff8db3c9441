"""The webhook for EventBridge: interruption notices and rebalance recommendations."""

import hmac

from django.conf import settings
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.requests import UserRequest
from sandbox import services
from sandbox.api import serializers
from spot_optimizer.api.parsers import validated
from spot_optimizer.api.schema import ErrorOut
from spot_optimizer.errors import Unauthenticated


class EventBridgeView(APIView):
    """Receive EC2 signals from EventBridge's API destination, authenticated by a secret header."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(request=serializers.EventIn, responses={204: None, 401: ErrorOut})
    def post(self, request: UserRequest) -> Response:
        given = request.headers.get("X-Spot-Optimizer-Secret", "").encode()
        expected = settings.EVENTBRIDGE_SECRET.encode()
        if not expected or not hmac.compare_digest(given, expected):
            raise Unauthenticated(
                "The header X-Spot-Optimizer-Secret must equal this server's EVENTBRIDGE_SECRET."
            )
        event = validated(serializers.EventIn, request.data)
        services.receive_signal(
            event_id=event["id"],
            kind=serializers.DETAIL_TYPES[event["detail-type"]],
            instance_id=event["detail"]["instance-id"],
            aws_account=event["account"],
            aws_region=event["region"],
            at=event["time"],
            now=timezone.now(),
        )
        return Response(status=status.HTTP_204_NO_CONTENT)
