"""STS: caller identity and temporary credentials."""

from datetime import UTC, datetime, timedelta
from typing import Any

from spot_optimizer.emulator.context import EmulatorContext
from spot_optimizer.emulator.services.keys import temporary_key
from spot_optimizer.emulator.services.wire import AwsError, Call, Caller, parameters

HOUR = 3_600  # [s]
SHORTEST = 900  # [s]

Result = dict[str, Any]


def get_caller_identity(context: EmulatorContext, call: Call) -> Result:
    caller = call.caller
    return {"UserId": caller.user_id, "Account": context.account.id, "Arn": caller.arn}


def get_session_token(context: EmulatorContext, call: Call) -> Result:
    """Return temporary keys of the same user."""
    if call.caller.arn != context.account.user_arn or call.access_key != context.account.access_key:
        sentence = "Cannot call GetSessionToken with session credentials"
        raise AwsError("AccessDenied", sentence, 403)
    expires = _end(parameters(call), default=12 * HOUR, longest=36 * HOUR)
    return {"Credentials": temporary_key(context.account, call.caller, expires)}


def assume_role(context: EmulatorContext, call: Call) -> Result:
    """Return temporary keys of the account's one role, for a caller that sends its external id."""
    params = parameters(call)
    arn, account = params.get("RoleArn"), context.account
    if arn != account.role_arn or params.get("ExternalId") != account.external_id:
        raise AwsError(
            "AccessDenied",
            f"User: {call.caller.arn} is not authorized to perform: sts:AssumeRole "
            f"on resource: {arn}",
            403,
        )
    name = params.get("RoleSessionName") or ""
    if not 2 <= len(name) <= 64:
        raise AwsError("ValidationError", "The role session name needs 2 to 64 characters.", 400)
    assumed = Caller(
        f"arn:aws:sts::{account.id}:assumed-role/spot-optimizer/{name}",
        f"AROA{account.user_id[4:]}:{name}",
    )
    expires = _end(params, default=HOUR, longest=12 * HOUR)
    return {
        "Credentials": temporary_key(account, assumed, expires),
        "AssumedRoleUser": {"AssumedRoleId": assumed.user_id, "Arn": assumed.arn},
    }


def _end(params: Result, *, default: int, longest: int) -> datetime:
    seconds = params.get("DurationSeconds") or default
    if not SHORTEST <= seconds <= longest:
        sentence = f"The duration must be between {SHORTEST} and {longest} seconds."
        raise AwsError("ValidationError", sentence, 400)
    return datetime.now(UTC) + timedelta(seconds=seconds)
