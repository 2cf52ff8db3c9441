"""What the session page says about codes: names for people, and what to do next."""

# Each check of the preflight, in its order, and what to do when it fails.
CHECKS = {
    "credentials": "Check the key pair in AWS, then open a new session with one that works.",
    "instance": "Start the instance, or check its id and region; then open a new session.",
    "instance_type": "Open a new session with the type that AWS names.",
    "availability_zone": "Open a new session with the zone that AWS names.",
    "permissions": "Attach the policy below to the keys' user or role, then open a new session.",
}
# Each stage, in its order: its name, and what it does.
STAGES = {
    "input": ("Input", "The market and the machine as they are now."),
    "hardware": ("Hardware", "Drops what the machine's image and work cannot run on."),
    "advisor": ("Advisor", "Drops the Spot Advisor's worst band."),
    "right_sizing": ("Right-sizing", "Drops what is much larger than the machine."),
    "risk": ("Risk", "Gives each pool its chance of an interruption."),
    "safety_gate": ("Safety gate", "Drops what is more likely to be interrupted than allowed."),
    "ranking": ("Ranking", "Orders by expected cost: price, risk and the move."),
    "signal": ("Signal", "Listens to what AWS says about the instance."),
    "output": ("Output", "Decides."),
}
# What each decision is called, its tone, and what to do about it.
DECISIONS = {
    "STAY": (
        "Stay where you are",
        "good",
        "Nothing to do. Evaluate again when prices or your needs have changed.",
    ),
    "SWITCH": (
        "Switch to",
        "info",
        "Launch the target, move the work there, then stop this instance. "
        "Nothing in your account was changed.",
    ),
    "DRAIN": (
        "Drain, and move to",
        "warn",
        "AWS may need this capacity back. Give the instance no new work, let what runs finish, "
        "and go on in the target. Nothing in your account was changed.",
    ),
    "EVACUATE": (
        "Evacuate to",
        "bad",
        "AWS takes this instance within two minutes. Save what must be kept, and go on in the "
        "target now. Nothing in your account was changed.",
    ),
}
SIGNALS = {
    "NONE": "AWS signals nothing",
    "REBALANCE": "Rebalance recommendation",
    "TERMINATION": "Interruption notice",
}
FAILURES = {
    "aws": "Mend it in AWS and evaluate again, or open a new session with other ids or keys.",
    "keys": "Open a new session with keys that work: those of a session cannot be changed.",
    "aws_timeout": "Evaluate again in a moment.",
    "instance_not_running": "Start the instance, then evaluate again.",
    "session_ended": "Open a new session, then evaluate there.",
    "overdue": "Evaluate again. If it happens again, tell your operator.",
    "other": "Evaluate again. If it fails the same way, check the session's type and zone.",
}
# Why a pool was rejected.
REJECTIONS = {
    "no_on_demand_price": "No on-demand price is known",
    "not_offered_as_spot": "Not offered as spot",
    "architecture": "Another processor architecture",
    "accelerator": "Other accelerators than this machine's",
    "local_storage": "Too little local storage",
    "bare_metal": "Bare metal differs",
    "burstable": "Burstable",
    "previous_generation": "A previous generation",
    "network_driver": "Needs a network driver this image lacks",
    "storage_driver": "Needs a storage driver this image may lack",
    "virtualization": "Another virtualization type",
    "boot_mode": "Cannot boot this image",
    "fewer_vcpu": "Fewer vCPU",
    "less_memory": "Less memory",
    "advisor_band": "In the Spot Advisor's worst band",
    "advisor_unlisted": "Not listed by the Spot Advisor",
    "oversized": "Much larger than this machine",
    "risk_unknown": "Its risk is unknown",
    "safety_gate": "Riskier than the safety gate allows",
}
