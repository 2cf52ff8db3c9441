"""The stages of the pipeline, in order. Names are part of the API and never change."""

from enum import StrEnum


class Stage(StrEnum):
    """The name of a stage, as in traces, log lines, metrics and the API."""

    label: str  # for people
    description: str  # one sentence

    def __new__(cls, name: str, label: str, description: str) -> "Stage":
        """Return the member whose value is ``name``."""
        stage = str.__new__(cls, name)
        stage._value_ = name
        stage.label, stage.description = label, description
        return stage

    INPUT = "input", "Input", "Reads the machine and the region's pools with a known price."
    HARDWARE = "hardware", "Hardware", "Removes pools that cannot run the machine's image and work."
    ADVISOR = (
        "advisor",
        "Advisor",
        "Removes pools in the Spot Advisor's worst band, if the session's advisor_filter is on.",
    )
    RIGHT_SIZING = (
        "right_sizing",
        "Right-sizing",
        "Removes types with over twice the vCPU or memory.",
    )
    RISK = "risk", "Risk", "Estimates each pool's probability of an interruption within one hour."
    SAFETY_GATE = (
        "safety_gate",
        "Safety gate",
        "Removes pools more likely to be interrupted than the session's safety_gate.",
    )
    RANKING = "ranking", "Ranking", "Sorts pools by expected cost: price, risk and the move."
    SIGNAL = (
        "signal",
        "Signal",
        "Applies an interruption notice or a rebalance recommendation from AWS.",
    )
    OUTPUT = "output", "Output", "Makes the decision."
