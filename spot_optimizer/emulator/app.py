"""The WSGI application: every request comes in here, is checked, and finds who answers it."""

import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.http import http_date
from werkzeug.wrappers import Request, Response

from spot_optimizer.emulator.control import PREFIX, control
from spot_optimizer.emulator.market.catalog import REGIONS
from spot_optimizer.emulator.services import advisor, ec2, pricing, sts
from spot_optimizer.emulator.services.signature import authenticate
from spot_optimizer.emulator.services.spot_history import describe_spot_price_history
from spot_optimizer.emulator.services.wire import Call, Refusal, answer, garbage, read_call, refuse
from spot_optimizer.emulator.world import World

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

READS = ("s3:GetObject", "s3:HeadObject")
HEADER = {"X-Emulator": "spot-optimizer"}


# What the emulator answers itself. All other actions are moto's.
ANSWERS: dict[str, Callable[[World, Call], dict[str, Any]]] = {
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
    """The application of one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moto = DomainDispatcherApplication(create_backend_app)
        # moto is not made for threads; what it answers is asked for one after the other.
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
            return control(self._world, request)
        call = read_call(request)
        error = None
        try:
            response = self._serve(call)
        except Refusal as refusal:
            response, error = refuse(call, refusal), refusal.code
        self._world.journal.write(
            call, status=response.status_code, error=error, now=datetime.now(UTC)
        )
        return response

    def _serve(self, call: Call) -> Response:
        world, now = self._world, datetime.now(UTC)
        account = world.account
        is_feed = call.name in READS and call.request.path == advisor.PATH
        if call.access_key or not is_feed:  # anybody may read the feed without signing
            call = call._replace(caller=authenticate(call, account, now))
        if strange := self._misbehave(call):
            return strange
        world.faults.check_permission(call)
        if is_feed:
            return self._feed(call, now)
        if call.service == "ec2" and call.region not in REGIONS:
            known = ", ".join(REGIONS)
            raise Refusal("OptInRequired", f"The emulator has these regions: {known}.", 401)
        if call.dry_run:
            sentence = "Request would have succeeded, but DryRun flag is set."
            raise Refusal("DryRunOperation", sentence, 412)
        world.signals.settle(now)
        return self._answer(call)

    def _misbehave(self, call: Call) -> Response | None:
        faults = self._world.faults
        faults.delay(call)
        if fault := faults.take("fail", call):
            sentence = "The emulator was told to answer this."
            raise Refusal(fault.details["code"], sentence, int(fault.details["status"]))
        return garbage() if faults.take("garbage", call) else None

    def _answer(self, call: Call) -> Response:
        if own := ANSWERS.get(call.name):
            return answer(call, own(self._world, call))
        if call.service == "ec2":
            ec2.check_instance_ids(call)
        environ = call.request.environ | {
            "HTTP_X_MOTO_ACCOUNT_ID": self._world.account.id,
            "wsgi.input": BytesIO(call.request.get_data(cache=True)),  # we have read the real one
        }
        with self._moto_lock:
            return Response.from_app(self._moto, environ)

    def _feed(self, call: Call, now: datetime) -> Response:
        hour = advisor.hour_of(now)
        response = Response(content_type="application/json")
        response.set_data(advisor.feed(self._world.market, hour))
        response.headers["Last-Modified"] = http_date(advisor.start_of(hour))
        response.add_etag()
        return response.make_conditional(call.request)
