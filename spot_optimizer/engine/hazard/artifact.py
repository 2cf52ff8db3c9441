"""Parses model artifacts: checked JSON parameters, never code."""

from collections.abc import Mapping
from typing import Any

from spot_optimizer.engine.hazard.advisor_prior import parse_advisor_prior
from spot_optimizer.engine.hazard.artifact_schema import check_keys, check_number
from spot_optimizer.engine.hazard.base import HORIZON_HOURS, RiskModel
from spot_optimizer.engine.hazard.logistic import parse_logistic


def parse_model(artifact: Mapping[str, Any]) -> RiskModel:
    """
    Return the risk model that an artifact describes.

    Parameters
    ----------
    artifact : mapping
        The parsed JSON: ``kind``, ``horizon_hours``, ``features`` and ``parameters``.

    Returns
    -------
    RiskModel

    Raises
    ------
    ValueError
        Naming the field, if the kind, the horizon or the name of a feature or parameter is not
        known, or a number is missing, not finite or out of range.
    """
    if not isinstance(artifact, Mapping):
        raise ValueError("model: not an object")  # noqa: TRY004
    check_keys("model", artifact, ("kind", "horizon_hours", "features", "parameters"))
    if check_number("horizon_hours", artifact["horizon_hours"]) != HORIZON_HOURS:
        raise ValueError(f"horizon_hours: must be {HORIZON_HOURS:g}")
    if artifact["kind"] == "advisor_prior":
        return parse_advisor_prior(artifact)
    if artifact["kind"] == "logistic":
        return parse_logistic(artifact)
    raise ValueError(
        f"kind: {artifact['kind']!r} is not known; known are advisor_prior and logistic"
    )
