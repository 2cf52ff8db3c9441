"""EC2's instance types, zones and spot requests; moto handles the rest of EC2."""

import re
from datetime import UTC, datetime
from typing import Any

from moto.ec2.models.instance_types import InstanceType
from moto.ec2.models.instances import Instance

from spot_optimizer.emulator.account import instances, spot_request_id
from spot_optimizer.emulator.context import EmulatorContext
from spot_optimizer.emulator.market.catalog import Zone, offers, zones
from spot_optimizer.emulator.services.pagination import Values, matching, page
from spot_optimizer.emulator.services.wire import AwsError, Call, parameters

TYPES_ON_A_PAGE = 100
OFFERINGS_ON_A_PAGE = 1_000
INSTANCE_ID = re.compile("i-([0-9a-f]{8}|[0-9a-f]{17})")

Result = dict[str, Any]


def _type_filter(name: str) -> Values[InstanceType]:
    return lambda facts: facts.get_filter_value(name)


TYPE_FILTERS = {name: _type_filter(name) for name in InstanceType._filter_attributes}


def check_instance_ids(call: Call) -> None:
    """:raises AwsError: an instance id is malformed"""
    for text in parameters(call).get("InstanceIds") or []:
        if not INSTANCE_ID.fullmatch(text):
            raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{text}"')


OFFERING_FILTERS: dict[str, Values[dict[str, str]]] = {
    "instance-type": lambda offering: offering["InstanceType"],
    "location": lambda offering: offering["Location"],
}

ZONE_FILTERS: dict[str, Values[Zone]] = {
    "region-name": lambda zone: zone.region,
    "zone-name": lambda zone: zone.name,
    "zone-id": lambda zone: zone.id,
    "zone-type": lambda _: "availability-zone",
    "state": lambda _: "available",
    "opt-in-status": lambda _: "opt-in-not-required",
    "group-name": lambda zone: zone.region,
}


def describe_instance_types(_: EmulatorContext, call: Call) -> Result:
    params = parameters(call)
    offered = {name: offer.facts for name, offer in offers(call.region).items()}
    names = params.get("InstanceTypes") or []
    unknown = sorted(set(names) - set(offered))
    if unknown:
        raise AwsError(
            "InvalidInstanceType",
            f"The following supplied instance types do not exist: [{', '.join(unknown)}]",
        )
    types = [offered[name] for name in names] or list(offered.values())
    found, token = page(matching(types, params, TYPE_FILTERS), params, largest=TYPES_ON_A_PAGE)
    return {"InstanceTypes": found, "NextToken": token}


def describe_instance_type_offerings(_: EmulatorContext, call: Call) -> Result:
    params = parameters(call)
    kind = params.get("LocationType") or "region"
    locations: dict[str, Values[Zone]] = {
        "region": lambda zone: zone.region,
        "availability-zone": lambda zone: zone.name,
        "availability-zone-id": lambda zone: zone.id,
    }
    if kind not in locations:
        raise AwsError("InvalidParameterValue", f"The location type '{kind}' is invalid")
    offerings = [
        {"InstanceType": offer.name, "LocationType": kind, "Location": location}
        for offer in offers(call.region).values()
        for location in dict.fromkeys(map(locations[kind], offer.zones))
    ]
    wanted = matching(offerings, params, OFFERING_FILTERS)
    found, token = page(wanted, params, largest=OFFERINGS_ON_A_PAGE)
    return {"InstanceTypeOfferings": found, "NextToken": token}


def describe_availability_zones(_: EmulatorContext, call: Call) -> Result:
    params = parameters(call)
    names, ids = params.get("ZoneNames") or [], params.get("ZoneIds") or []
    known = zones(call.region)
    for name in [*names, *ids]:
        if not any(name in (zone.name, zone.id) for zone in known):
            raise AwsError("InvalidParameterValue", f"Invalid availability zone: [{name}]")
    wanted = [z for z in known if (not names or z.name in names) and (not ids or z.id in ids)]
    return {"AvailabilityZones": [_zone(z) for z in matching(wanted, params, ZONE_FILTERS)]}


def _zone(zone: Zone) -> dict[str, Any]:
    return {
        "State": "available",
        "OptInStatus": "opt-in-not-required",
        "Messages": [],
        "RegionName": zone.region,
        "ZoneName": zone.name,
        "ZoneId": zone.id,
        "GroupName": zone.region,
        "NetworkBorderGroup": zone.region,
        "ZoneType": "availability-zone",
    }


REQUEST_FILTERS: dict[str, Values[dict[str, Any]]] = {
    "spot-instance-request-id": lambda request: request["SpotInstanceRequestId"],
    "instance-id": lambda request: request["InstanceId"],
    "state": lambda request: request["State"],
    "status-code": lambda request: request["Status"]["Code"],
    "launched-availability-zone": lambda request: request["LaunchedAvailabilityZone"],
}


def describe_spot_instance_requests(context: EmulatorContext, call: Call) -> Result:
    params = parameters(call)
    requests = [
        _spot_request(context, instance)
        for instance in instances(context.account, call.region)
        if instance.lifecycle == "spot"
    ]
    ids = params.get("SpotInstanceRequestIds") or []
    known = {request["SpotInstanceRequestId"] for request in requests}
    if missing := [name for name in ids if name not in known]:
        raise AwsError(
            "InvalidSpotInstanceRequestID.NotFound",
            f"The spot instance request ID '{missing[0]}' does not exist",
        )
    wanted = [r for r in requests if not ids or r["SpotInstanceRequestId"] in ids]
    found, token = page(matching(wanted, params, REQUEST_FILTERS), params, largest=1_000)
    return {"SpotInstanceRequests": found, "NextToken": token}


def _spot_request(context: EmulatorContext, instance: Instance) -> dict[str, Any]:
    offer = offers(instance.region_name)[instance.instance_type]
    state, status = _state_and_status(context, instance)
    return {
        "SpotInstanceRequestId": spot_request_id(instance),
        "InstanceId": instance.id,
        "State": state,
        "Status": status,
        "Type": "one-time",
        "CreateTime": instance.launch_time,
        "InstanceInterruptionBehavior": "terminate",
        "ProductDescription": "Linux/UNIX",
        "SpotPrice": f"{offer.on_demand:.6f}",
        "LaunchedAvailabilityZone": instance.availability_zone,
        "LaunchSpecification": {
            "ImageId": instance.image_id,
            "InstanceType": instance.instance_type,
            "SubnetId": instance.subnet_id,
            "Placement": {"AvailabilityZone": instance.availability_zone},
            "Monitoring": {"Enabled": False},
        },
        "Tags": [],
    }


def _state_and_status(context: EmulatorContext, instance: Instance) -> tuple[str, dict[str, Any]]:
    if interrupted_at := context.signals.interrupted_at(instance.id):
        return "closed", _status(
            "instance-terminated-no-capacity",
            "Your Spot instance was terminated because there is no Spot capacity available.",
            interrupted_at.astimezone(UTC).replace(tzinfo=None),
        )
    if instance.state in ("shutting-down", "terminated"):
        return "closed", _status(
            "instance-terminated-by-user",
            "Your Spot instance was terminated by the user.",
            instance.launch_time,
        )
    fulfilled = _status("fulfilled", "Your Spot request is fulfilled.", instance.launch_time)
    return "active", fulfilled


def _status(code: str, message: str, at: datetime) -> dict[str, Any]:
    return {"Code": code, "Message": message, "UpdateTime": at}
