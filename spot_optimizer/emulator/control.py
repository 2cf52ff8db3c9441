"""The control paths under ``/_emulator``: identity, request log, faults and signals."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from spot_optimizer.emulator.account import instances, spot_request_id
from spot_optimizer.emulator.context import EmulatorContext
from spot_optimizer.emulator.faults import Fault
from spot_optimizer.emulator.market.catalog import REGIONS
from spot_optimizer.emulator.signals import NoSuchSpotInstance

PREFIX = "/_emulator"
DISCLAIMER = "This is the emulator of Spot Optimizer, not AWS. Nothing here costs or runs anything."
LONGEST_DELAY = 120  # [s]

Fields = dict[str, Any]


class InvalidCommand(Exception):
    """The control request is invalid; the message is returned to the client."""


def control(context: EmulatorContext, request: Request) -> Response:
    """Handle a request to a control path; 400 with a message when it is invalid."""
    path = request.path.removeprefix(PREFIX).strip("/")
    known = READS if request.method == "GET" else COMMANDS if request.method == "POST" else {}
    if path not in known:
        return _json({"detail": f"There is no {request.method} {request.path}."}, 404)
    try:
        fields = request.args.to_dict() if request.method == "GET" else _body(request)
        return _json(known[path](context, fields), 200)
    except (InvalidCommand, NoSuchSpotInstance) as error:
        return _json({"detail": str(error)}, 400)


def identity(context: EmulatorContext) -> Fields:
    """Return the emulator's account, credentials and instances."""
    return {
        "emulator": DISCLAIMER,
        "seed": context.seed,
        "account_id": context.account.id,
        "access_key": context.account.access_key,
        "secret_key": context.account.secret_key,
        "role_arn": context.account.role_arn,
        "external_id": context.account.external_id,
        "regions": list(REGIONS),
        "instances": [
            {
                "instance_id": instance.id,
                "instance_type": instance.instance_type,
                "availability_zone": instance.availability_zone,
                "region": instance.region_name,
                "lifecycle": instance.lifecycle or "on-demand",
                "state": instance.state,
                "spot_instance_request_id": spot_request_id(instance),
            }
            for instance in instances(context.account)
        ],
    }


def _requests(context: EmulatorContext, fields: Fields) -> Fields:
    after = fields.get("after", "0")
    if not after.isdecimal():
        raise InvalidCommand("'after' must be the number of a request, 0 or more.")
    return {"requests": context.request_log.after(int(after))}


def _deny(context: EmulatorContext, fields: Fields) -> Fields:
    actions = fields.get("actions")
    if not isinstance(actions, list) or not all(isinstance(a, str) and a for a in actions):
        raise InvalidCommand("'actions' must be a list, such as [\"ec2:DescribeInstances\"].")
    context.faults.deny(actions)
    return {"denied": actions}


def _fail(context: EmulatorContext, fields: Fields) -> Fields:
    details = {"code": _text(fields, "code"), "status": _number(fields, "status", 400, 400, 599)}
    return _add(context, "fail", fields, details)


def _delay(context: EmulatorContext, fields: Fields) -> Fields:
    seconds = _number(fields, "seconds", None, 0, LONGEST_DELAY)
    return _add(context, "delay", fields, {"seconds": seconds})


def _garbage(context: EmulatorContext, fields: Fields) -> Fields:
    return _add(context, "garbage", fields, {})


def _add(context: EmulatorContext, kind: str, fields: Fields, details: Fields) -> Fields:
    times = int(_number(fields, "times", 1, 1, 1_000_000))
    fault = Fault(kind, _text(fields, "action"), times, details)
    context.faults.add(fault)
    return {"kind": kind, "action": fault.action, "times": times, **details}


def _interrupt(context: EmulatorContext, fields: Fields) -> Fields:
    return context.signals.interrupt(_text(fields, "instance_id"), datetime.now(UTC))


def _rebalance(context: EmulatorContext, fields: Fields) -> Fields:
    return context.signals.rebalance(_text(fields, "instance_id"), datetime.now(UTC))


def _reset(context: EmulatorContext, _: Fields) -> Fields:
    context.faults.clear()
    context.signals.clear()
    return {"reset": True}


Path = Callable[[EmulatorContext, Fields], Fields]

READS: dict[str, Path] = {"": lambda context, _: identity(context), "requests": _requests}
COMMANDS: dict[str, Path] = {
    "deny": _deny,
    "fail": _fail,
    "delay": _delay,
    "garbage": _garbage,
    "interrupt": _interrupt,
    "rebalance": _rebalance,
    "reset": _reset,
}


def _body(request: Request) -> Fields:
    try:
        fields = json.loads(request.get_data() or b"{}")
    except ValueError as error:
        raise InvalidCommand("The body is not JSON.") from error
    if not isinstance(fields, dict):
        raise InvalidCommand("The body must be a JSON object.")
    return fields


def _text(fields: Fields, name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or not text:
        raise InvalidCommand(f"'{name}' must be a string.")
    return text


def _number(fields: Fields, name: str, default: float | None, low: float, high: float) -> float:
    number = fields.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise InvalidCommand(f"'{name}' must be a number.")
    if not low <= number <= high:
        raise InvalidCommand(f"'{name}' must be between {low} and {high}.")
    return number


def _json(body: Fields, status: int) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
