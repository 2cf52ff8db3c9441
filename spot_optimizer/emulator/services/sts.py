"""What STS answers: who somebody is, and temporary keys."""

from datetime import UTC, datetime, timedelta
from typing import Any

from spot_optimizer.emulator.services.keys import temporary_key
from spot_optimizer.emulator.services.wire import Call, Caller, Refusal, parameters
from spot_optimizer.emulator.world import World

HOUR = 3_600  # [s]
SHORTEST = 900  # [s]

Result = dict[str, Any]


def get_caller_identity(world: World, call: Call) -> Result:
    caller = call.caller
    return {"UserId": caller.user_id, "Account": world.account.id, "Arn": caller.arn}


def get_session_token(world: World, call: Call) -> Result:
    """Return temporary keys of the same user."""
    if call.caller.arn != world.account.user_arn or call.access_key != world.account.access_key:
        sentence = "Cannot call GetSessionToken with session credentials"
        raise Refusal("AccessDenied", sentence, 403)
    expires = _end(parameters(call), default=12 * HOUR, longest=36 * HOUR)
    return {"Credentials": temporary_key(world.account, call.caller, expires)}


def assume_role(world: World, call: Call) -> Result:
    """Return temporary keys of the account's one role, to who names its external id."""
    asked = parameters(call)
    arn, account = asked.get("RoleArn"), world.account
    if arn != account.role_arn or asked.get("ExternalId") != account.external_id:
        raise Refusal(
            "AccessDenied",
            f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole "
            f"on resource: {arn}",
            403,
        )
    name = asked.get("RoleSessionName") or ""
    if not 2 <= len(name) <= 64:
        raise Refusal("ValidationError", "The role session name has 2 to 64 characters.", 400)
    assumed = Caller(
        f"arn:aws:sts::{account.id}:assumed-role/spot-optimizer/{name}",
        f"AROA{account.user_id[4:]}:{name}",
    )
    expires = _end(asked, default=HOUR, longest=12 * HOUR)
    return {
        "Credentials": temporary_key(account, assumed, expires),
        "AssumedRoleUser": {"AssumedRoleId": assumed.user_id, "Arn": assumed.arn},
    }


def _end(asked: Result, *, default: int, longest: int) -> datetime:
    seconds = asked.get("DurationSeconds") or default
    if not SHORTEST <= seconds <= longest:
        sentence = f"The duration has to be between {SHORTEST} and {longest} seconds."
        raise Refusal("ValidationError", sentence, 400)
    return datetime.now(UTC) + timedelta(seconds=seconds)
