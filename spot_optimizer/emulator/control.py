"""The control paths under ``/_emulator``: who is here, what happened, what shall go wrong."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from werkzeug.wrappers import Request, Response

from spot_optimizer.emulator.account import instances, spot_request_id
from spot_optimizer.emulator.faults import Fault
from spot_optimizer.emulator.market.catalog import REGIONS
from spot_optimizer.emulator.signals import NoSuchSpotInstance
from spot_optimizer.emulator.world import World

PREFIX = "/_emulator"
SAYS = "This is the emulator of Spot Optimizer, not AWS. Nothing here costs or runs anything."
LONGEST_DELAY = 120  # [s]

Fields = dict[str, Any]


class BadControl(Exception):
    """The control request cannot be understood; the message says why."""


def control(world: World, request: Request) -> Response:
    """Answer a request to a control path: 400 with a sentence where it makes no sense."""
    path = request.path.removeprefix(PREFIX).strip("/")
    known = READS if request.method == "GET" else COMMANDS if request.method == "POST" else {}
    if path not in known:
        return _json({"detail": f"There is no {request.method} {request.path} here."}, 404)
    try:
        fields = request.args.to_dict() if request.method == "GET" else _body(request)
        return _json(known[path](world, fields), 200)
    except (BadControl, NoSuchSpotInstance) as error:
        return _json({"detail": str(error)}, 400)


def identity(world: World) -> Fields:
    """Return who this emulator is and whom it lets in."""
    return {
        "emulator": SAYS,
        "seed": world.seed,
        "account_id": world.account.id,
        "access_key": world.account.access_key,
        "secret_key": world.account.secret_key,
        "role_arn": world.account.role_arn,
        "external_id": world.account.external_id,
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
            for instance in instances(world.account)
        ],
    }


def _requests(world: World, fields: Fields) -> Fields:
    after = fields.get("after", "0")
    if not after.isdecimal():
        raise BadControl("'after' takes the number of a request, 0 or more.")
    return {"requests": world.journal.after(int(after))}


def _deny(world: World, fields: Fields) -> Fields:
    actions = fields.get("actions")
    if not isinstance(actions, list) or not all(isinstance(a, str) and a for a in actions):
        raise BadControl("'actions' takes a list of actions, as in [\"ec2:DescribeInstances\"].")
    world.faults.deny(actions)
    return {"denied": actions}


def _fail(world: World, fields: Fields) -> Fields:
    details = {"code": _text(fields, "code"), "status": _number(fields, "status", 400, 400, 599)}
    return _add(world, "fail", fields, details)


def _delay(world: World, fields: Fields) -> Fields:
    seconds = _number(fields, "seconds", None, 0, LONGEST_DELAY)
    return _add(world, "delay", fields, {"seconds": seconds})


def _garbage(world: World, fields: Fields) -> Fields:
    return _add(world, "garbage", fields, {})


def _add(world: World, kind: str, fields: Fields, details: Fields) -> Fields:
    times = int(_number(fields, "times", 1, 1, 1_000_000))
    fault = Fault(kind, _text(fields, "action"), times, details)
    world.faults.add(fault)
    return {"kind": kind, "action": fault.action, "times": times, **details}


def _interrupt(world: World, fields: Fields) -> Fields:
    return world.signals.interrupt(_text(fields, "instance_id"), datetime.now(UTC))


def _rebalance(world: World, fields: Fields) -> Fields:
    return world.signals.rebalance(_text(fields, "instance_id"), datetime.now(UTC))


def _reset(world: World, _: Fields) -> Fields:
    world.faults.clear()
    world.signals.clear()
    return {"reset": True}


Path = Callable[[World, Fields], Fields]

READS: dict[str, Path] = {"": lambda world, _: identity(world), "requests": _requests}
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
        raise BadControl("The body is not JSON.") from error
    if not isinstance(fields, dict):
        raise BadControl("The body has to be a JSON object.")
    return fields


def _text(fields: Fields, name: str) -> str:
    text = fields.get(name)
    if not isinstance(text, str) or not text:
        raise BadControl(f"'{name}' has to be a text.")
    return text


def _number(fields: Fields, name: str, default: float | None, low: float, high: float) -> float:
    number = fields.get(name, default)
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise BadControl(f"'{name}' has to be a number.")
    if not low <= number <= high:
        raise BadControl(f"'{name}' has to be between {low} and {high}.")
    return number


def _json(answer: Fields, status: int) -> Response:
    return Response(json.dumps(answer), status, content_type="application/json")
