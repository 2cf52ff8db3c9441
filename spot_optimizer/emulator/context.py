"""The parts of a running emulator, built once per process."""

from dataclasses import dataclass
from datetime import datetime

from spot_optimizer.emulator.account import Account, account_of, launch_demos
from spot_optimizer.emulator.faults import Faults
from spot_optimizer.emulator.market.fitted import market_fit
from spot_optimizer.emulator.market.price_model import Market
from spot_optimizer.emulator.request_log import RequestLog
from spot_optimizer.emulator.signals import EventBus, Signals


@dataclass(frozen=True, slots=True)
class EmulatorContext:
    seed: int
    account: Account
    market: Market
    faults: Faults
    signals: Signals
    request_log: RequestLog


def create_context(*, seed: int, bus: EventBus, now: datetime) -> EmulatorContext:
    """Build the context of a seed and launch its instances. Once per process: moto is global."""
    account = account_of(seed)
    launch_demos(seed, account, now)
    market = Market(seed, market_fit())
    return EmulatorContext(seed, account, market, Faults(), Signals(account, bus), RequestLog())
