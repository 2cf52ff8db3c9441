"""The session page's texts for codes: labels, and what to do next."""

from spot_optimizer.engine.stages import Stage

# The preflight's checks in order, and what to do when one fails.
CHECKS = {
    "credentials": "Check the key pair in AWS, then open a new session with one that works.",
    "instance": "Start the instance, or check its ID and Region, then open a new session.",
    "instance_type": "Open a new session with the instance type that AWS reports.",
    "availability_zone": "Open a new session with the Availability Zone that AWS reports.",
    "permissions": "Attach the policy below to the keys' user or role, then open a new session.",
}
# The stages in order: label and description.
STAGES = {stage.value: (stage.label, stage.description) for stage in Stage}
# Each decision's title and advice.
DECISIONS = {
    "STAY": (
        "Stay where you are",
        "Nothing to do. Evaluate again when prices or your requirements change.",
    ),
    "SWITCH": (
        "Switch to",
        "Launch the target, move the workload there, then stop this instance. "
        "Nothing in your account was changed.",
    ),
    "DRAIN": (
        "Drain, and move to",
        "AWS may reclaim this capacity. Send the instance no new work, let running work finish, "
        "and continue on the target. Nothing in your account was changed.",
    ),
    "EVACUATE": (
        "Evacuate to",
        "AWS interrupts this instance within two minutes. Save its data and continue on the "
        "target now. Nothing in your account was changed.",
    ),
}
SIGNALS = {
    "NONE": "No signal from AWS",
    "REBALANCE": "Rebalance recommendation",
    "TERMINATION": "Interruption notice",
}
FAILURES = {
    "aws": "Fix it in AWS and evaluate again, or open a new session with other IDs or keys.",
    "keys": "Open a new session with valid keys: the keys of a session cannot be changed.",
    "aws_timeout": "Evaluate again in a moment.",
    "instance_not_running": "Start the instance, then evaluate again.",
    "session_ended": "Open a new session and evaluate there.",
    "overdue": "Evaluate again. If it happens again, contact your operator.",
    "other": "Evaluate again. If it fails again, check the session's instance type and zone.",
}
# Reasons for rejecting a pool.
REJECTIONS = {
    "no_on_demand_price": "No on-demand price is known",
    "not_offered_as_spot": "Not offered as spot",
    "architecture": "Different processor architecture",
    "accelerator": "Different accelerators",
    "local_storage": "Too little local storage",
    "bare_metal": "Bare metal, or not, unlike this instance",
    "burstable": "Burstable",
    "previous_generation": "Previous generation",
    "network_driver": "Requires a network driver that this image lacks",
    "storage_driver": "Requires a storage driver that this image may lack",
    "virtualization": "Different virtualization type",
    "boot_mode": "Cannot boot this image",
    "fewer_vcpu": "Fewer vCPUs",
    "less_memory": "Less memory",
    "advisor_band": "In the Spot Advisor's highest interruption band",
    "advisor_unlisted": "Not listed by the Spot Advisor",
    "oversized": "Much larger than this instance",
    "risk_unknown": "Interruption risk unknown",
    "safety_gate": "Riskier than the safety gate allows",
}
