"""The demo account: its keys and its running instances, all of them derived from the seed."""

import os
import string
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami
from moto.ec2.models.instances import Instance
from moto.moto_api._internal import mock_random

from spot_optimizer.emulator.market.catalog import REGIONS, offers, trim_moto
from spot_optimizer.emulator.market.noise import key

BASE32 = string.ascii_uppercase + "234567"


class Demo(NamedTuple):
    """An instance that runs from the start."""

    zone: str
    instance_type: str
    lifecycle: str
    name: str


DEMOS = (
    Demo("us-east-1a", "m5.large", "on-demand", "web"),
    Demo("us-east-1b", "c5.xlarge", "spot", "batch"),
    Demo("us-east-1c", "g4dn.xlarge", "spot", "training"),
    Demo("eu-west-1a", "r5.2xlarge", "spot", "cache"),
    Demo("eu-west-1b", "m6g.large", "on-demand", "api"),
    Demo("ap-south-1a", "t3.medium", "on-demand", "jump-host"),
    Demo("ap-south-1b", "c5.xlarge", "spot", "encoder"),
)


@dataclass(frozen=True, slots=True)
class Account:
    """The demo account, derived from the seed."""

    id: str
    user_id: str
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def user_arn(self) -> str:
        return f"arn:aws:iam::{self.id}:user/spot-optimizer-demo"

    @property
    def role_arn(self) -> str:
        """The only role of the account; assuming it requires the external id."""
        return f"arn:aws:iam::{self.id}:role/spot-optimizer"

    @property
    def external_id(self) -> str:
        return f"demo-{self.id[-6:]}"


def account_of(seed: int) -> Account:
    """Return the account of a seed."""
    random = Random(key(seed, "account"))  # noqa: S311 - must be reproducible

    def draw(letters: str, length: int) -> str:
        return "".join(random.choices(letters, k=length))

    return Account(
        id="7" + draw(string.digits, 11),
        user_id="AIDA" + draw(BASE32, 16),
        access_key="AKIA" + draw(BASE32, 16),
        secret_key=draw(string.ascii_letters + string.digits + "+/", 40),
    )


def launch_demos(seed: int, account: Account, now: datetime) -> None:
    """Create the account's images and running instances in moto. Call it once per process."""
    os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"
    trim_moto()
    for region in REGIONS:
        for architecture in ("x86_64", "arm64"):
            _reseed(seed, region, architecture)
            _add_image(account, region, architecture)
    for number, demo in enumerate(DEMOS):
        # Reseeded for each one, so its ids do not depend on earlier random numbers of moto.
        _reseed(seed, "instance", number)
        _launch(account, demo, launched=_start_of_last_month(now) + timedelta(hours=7 * number))


def _reseed(*names: object) -> None:
    mock_random.seed(key(*names))


def _backend(account: Account, region: str) -> Any:
    return ec2_backends[account.id][region]


def _add_image(account: Account, region: str, architecture: str) -> None:
    backend = _backend(account, region)
    image = Ami(
        backend,
        f"ami-{mock_random.get_random_hex(17)}",
        name=f"demo-linux-{architecture}",
        owner_id=account.id,
        virtualization_type="hvm",
        architecture=architecture,
        root_device_type="ebs",
        hypervisor="xen",
        boot_mode="uefi-preferred" if architecture == "x86_64" else "uefi",
        region_name=f"{region}a",
    )
    backend.amis[image.id] = image


def _launch(account: Account, demo: Demo, *, launched: datetime) -> None:
    region = demo.zone[:-1]
    backend = _backend(account, region)
    facts = offers(region)[demo.instance_type].facts
    architectures = facts["ProcessorInfo"]["SupportedArchitectures"]
    image = next(i for i in backend.amis.values() if i.architecture in architectures)
    reservation = backend.run_instances(
        image.id,
        1,
        None,
        ["default"],
        instance_type=demo.instance_type,
        is_instance_type_default=False,
        region_name=region,
        subnet_id=_subnet(backend, demo.zone),
        lifecycle="spot" if demo.lifecycle == "spot" else None,
        tags={"instance": {"Name": demo.name}},
    )
    # moto's times are naive and mean UTC.
    reservation.instances[0].launch_time = launched.replace(tzinfo=None)


def _subnet(backend: Any, zone: str) -> str:
    subnets = backend.describe_subnets(filters={"availability-zone": [zone]})
    return str(subnets[0].id)


def _start_of_last_month(now: datetime) -> datetime:
    month_start = datetime(now.year, now.month, 1, tzinfo=UTC)
    last = month_start - timedelta(days=1)
    return datetime(last.year, last.month, 1, tzinfo=UTC)


def instances(account: Account, region: str | None = None) -> Iterator[Instance]:
    """Yield moto's instances of the account, in all regions or in one."""
    for each in [region] if region else REGIONS:
        for reservation in list(_backend(account, each).reservations.values()):
            yield from reservation.instances


def spot_request_id(instance: Instance) -> str | None:
    """Return the id of the request that a spot instance came from."""
    if instance.lifecycle != "spot":
        return None
    return f"sir-{key('spot request', instance.id):016x}"[:12]


def _boot_mode(instance: Instance) -> str:
    offer = offers(instance.region_name)[instance.instance_type]
    return "legacy-bios" if "legacy-bios" in offer.facts["SupportedBootModes"] else "uefi"


def _image_boot_mode(instance: Instance) -> str | None:
    image = instance.ec2_backend.amis.get(instance.image_id)
    return image.boot_mode if image else None


# Attributes that EC2 returns and moto lacks.
MISSING_ATTRIBUTES = {
    "instance_lifecycle": property(lambda instance: instance.lifecycle),
    "spot_instance_request_id": property(spot_request_id),
    "ena_support": True,
    "boot_mode": property(_image_boot_mode),
    "current_instance_boot_mode": property(_boot_mode),
    "platform_details": "Linux/UNIX",
    "usage_operation": "RunInstances",
}
for _name, _value in MISSING_ATTRIBUTES.items():
    setattr(Instance, _name, _value)
