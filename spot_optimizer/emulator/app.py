"""The WSGI application: authenticates each request and dispatches it to its handler."""

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from spot_optimizer.emulator.context import EmulatorContext
from spot_optimizer.emulator.control import PREFIX, control
from spot_optimizer.emulator.market.catalog import REGIONS
from spot_optimizer.emulator.services import advisor, ec2, pricing, sts
from spot_optimizer.emulator.services.signature import authenticate
from spot_optimizer.emulator.services.spot_history import describe_spot_price_history
from spot_optimizer.emulator.services.wire import (
    AwsError,
    Call,
    garbage_response,
    read_call,
    serialize_error,
    serialize_result,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

READS = ("s3:GetObject", "s3:HeadObject")
HEADER = {"X-Emulator": "spot-optimizer"}


# Actions with a handler of our own; moto handles all others.
HANDLERS: dict[str, Callable[[EmulatorContext, Call], dict[str, Any]]] = {
    "ec2:DescribeAvailabilityZones": ec2.describe_availability_zones,
    "ec2:DescribeInstanceTypeOfferings": ec2.describe_instance_type_offerings,
    "ec2:DescribeInstanceTypes": ec2.describe_instance_types,
    "ec2:DescribeSpotInstanceRequests": ec2.describe_spot_instance_requests,
    "ec2:DescribeSpotPriceHistory": describe_spot_price_history,
    "pricing:GetProducts": pricing.get_products,
    "sts:AssumeRole": sts.assume_role,
    "sts:GetCallerIdentity": sts.get_caller_identity,
    "sts:GetSessionToken": sts.get_session_token,
}


class Emulator:
    """The WSGI application of one emulated account."""

    def __init__(self, context: EmulatorContext) -> None:
        self._context = context
        self._moto = DomainDispatcherApplication(create_backend_app)
        # moto is not thread-safe: its requests are serialized.
        self._moto_lock = threading.Lock()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        request = Request(environ)
        response = self._respond(request)
        response.headers.extend(HEADER)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        if request.path == PREFIX or request.path.startswith(f"{PREFIX}/"):
            return control(self._context, request)
        call = read_call(request)
        code = None
        try:
            response = self._serve(call)
        except AwsError as error:
            response, code = serialize_error(call, error), error.code
        self._context.request_log.write(
            call, status=response.status_code, error=code, now=datetime.now(UTC)
        )
        return response

    def _serve(self, call: Call) -> Response:
        context, now = self._context, datetime.now(UTC)
        account = context.account
        is_feed = call.name in READS and call.request.path == advisor.PATH
        if call.access_key or not is_feed:  # the feed needs no signature
            call = call._replace(caller=authenticate(call, account, now))
        if garbage := self._apply_faults(call):
            return garbage
        context.faults.check_permission(call)
        if is_feed:
            return self._feed(call, now)
        if call.service == "ec2" and call.region not in REGIONS:
            known = ", ".join(REGIONS)
            raise AwsError("OptInRequired", f"The emulator has these regions: {known}.", 401)
        if call.dry_run:
            sentence = "Request would have succeeded, but DryRun flag is set."
            raise AwsError("DryRunOperation", sentence, 412)
        context.signals.terminate_due(now)
        return self._dispatch(call)

    def _apply_faults(self, call: Call) -> Response | None:
        faults = self._context.faults
        faults.delay(call)
        if fault := faults.consume("fail", call):
            sentence = "This error was set with /_emulator/fail."
            raise AwsError(fault.details["code"], sentence, int(fault.details["status"]))
        return garbage_response() if faults.consume("garbage", call) else None

    def _dispatch(self, call: Call) -> Response:
        if own := HANDLERS.get(call.name):
            return serialize_result(call, own(self._context, call))
        if call.service == "ec2":
            ec2.check_instance_ids(call)
        environ = call.request.environ | {
            "HTTP_X_MOTO_ACCOUNT_ID": self._context.account.id,
            # The original stream has been read already.
            "wsgi.input": BytesIO(call.request.get_data(cache=True)),
        }
        with self._moto_lock:
            return Response.from_app(self._moto, environ)

    def _feed(self, call: Call, now: datetime) -> Response:
        hour = advisor.hour_of(now)
        response = Response(content_type="application/json")
        response.set_data(advisor.feed(self._context.market, hour))
        response.headers["Last-Modified"] = http_date(advisor.start_of(hour))
        response.add_etag()
        return response.make_conditional(call.request)
