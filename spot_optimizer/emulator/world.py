"""All that one emulator is made of, put together once."""

from dataclasses import dataclass
from datetime import datetime

from spot_optimizer.emulator.account import Account, account_of, launch_demos
from spot_optimizer.emulator.faults import Faults
from spot_optimizer.emulator.market.fitted import market_fit
from spot_optimizer.emulator.market.prices_model import Market
from spot_optimizer.emulator.request_log import Journal
from spot_optimizer.emulator.signals import EventBus, Signals


@dataclass(frozen=True, slots=True)
class World:
    seed: int
    account: Account
    market: Market
    faults: Faults
    signals: Signals
    journal: Journal


def create_world(*, seed: int, bus: EventBus, now: datetime) -> World:
    """Return the world of a seed, its instances running. Once in a process: moto has no second."""
    account = account_of(seed)
    launch_demos(seed, account, now)
    market = Market(seed, market_fit())
    return World(seed, account, market, Faults(), Signals(account, bus), Journal())
