from sandbox.models.audit import SandboxAction
from sandbox.models.evaluation import Evaluation, SandboxSavings, pack_pools, unpack_pools
from sandbox.models.session import SandboxSession, SandboxSessionQuerySet, new_stream_ticket
from sandbox.models.signal import ReceivedSignal

__all__ = [
    "Evaluation",
    "ReceivedSignal",
    "SandboxAction",
    "SandboxSavings",
    "SandboxSession",
    "SandboxSessionQuerySet",
    "new_stream_ticket",
    "pack_pools",
    "unpack_pools",
]
