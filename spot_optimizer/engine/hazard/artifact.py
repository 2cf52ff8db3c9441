"""Reads model artifacts: checked JSON parameters, never code."""

from collections.abc import Mapping
from typing import Any

from spot_optimizer.engine.hazard.advisor_prior import read_advisor_prior
from spot_optimizer.engine.hazard.artifact_schema import exactly, number
from spot_optimizer.engine.hazard.base import HORIZON_HOURS, RiskModel
from spot_optimizer.engine.hazard.logistic import read_logistic


def parse_model(artifact: Mapping[str, Any]) -> RiskModel:
    """
    Return the risk model a mapping (a JSON artifact, read by the caller) describes.

    :raises ValueError: saying what is wrong: the kind, the horizon, the names of features or
        parameters, or a number that is none, not finite or out of range.
    """
    if not isinstance(artifact, Mapping):
        raise ValueError("model: not an object")  # noqa: TRY004
    exactly("model", artifact, ("kind", "horizon_hours", "features", "parameters"))
    _horizon(artifact)
    if artifact["kind"] == "advisor_prior":
        return read_advisor_prior(artifact)
    if artifact["kind"] == "logistic":
        return read_logistic(artifact)
    raise ValueError(
        f"kind: {artifact['kind']!r} is not known; known are advisor_prior and logistic"
    )


def _horizon(artifact: Mapping[str, Any]) -> None:
    if number("horizon_hours", artifact["horizon_hours"]) != HORIZON_HOURS:
        raise ValueError(f"horizon_hours: must be {HORIZON_HOURS:g}")
