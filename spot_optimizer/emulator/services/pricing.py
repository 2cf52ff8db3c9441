"""The Pricing API: GetProducts of Amazon EC2."""

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from spot_optimizer.emulator.context import EmulatorContext
from spot_optimizer.emulator.market.catalog import REGIONS, Offer, offers
from spot_optimizer.emulator.market.prices import vcpus, windows_licence
from spot_optimizer.emulator.services.pagination import page
from spot_optimizer.emulator.services.wire import AwsError, Call, parameters

Filter = tuple[str, str, str]  # type, field, value

PRODUCTS_ON_A_PAGE = 100
EFFECTIVE = "2026-01-01T00:00:00Z"
USAGE = {"us-east-1": "", "eu-west-1": "EU-", "ap-south-1": "APS3-"}
OPERATIONS = {"Linux": "RunInstances", "Windows": "RunInstances:0002"}
# Usage of a reservation is billed with the reservation: its price is zero, as in the real list.
CAPACITY = {"Used": "BoxUsage", "UnusedCapacityReservation": "UnusedBox"}
PREPAID = {"AllocatedCapacityReservation": "Reservation"}


def get_products(_: EmulatorContext, call: Call) -> dict[str, Any]:
    """Return a page of products, each as JSON in the structure of the real price list."""
    params = parameters(call)
    if params.get("ServiceCode") != "AmazonEC2":
        raise AwsError("NotFoundException", "The emulator has AmazonEC2 only.")
    filters = params.get("Filters") or []
    if not all({"Type", "Field", "Value"} <= set(given) for given in filters):
        raise AwsError("InvalidParameterException", "A filter needs a Type, a Field and a Value.")
    wanted = _wanted(tuple((f["Type"], f["Field"], f["Value"]) for f in filters))
    found, token = page(wanted, params, largest=PRODUCTS_ON_A_PAGE)
    listed = [json.dumps(_listing(attributes, price)) for attributes, price in found]
    return {"FormatVersion": "aws_v1", "PriceList": listed, "NextToken": token}


@lru_cache(maxsize=4)  # clients fetch the pages one after the other
def _wanted(filters: tuple[Filter, ...]) -> list[tuple[dict[str, str], float]]:
    return [product for product in _products(filters) if _meets_all(product[0], filters)]


def _products(filters: tuple[Filter, ...]) -> Iterator[tuple[dict[str, str], float]]:
    exact = {field: value for kind, field, value in filters if kind == "TERM_MATCH"}
    for region in REGIONS:
        if exact.get("regionCode", region) != region:
            continue
        for offer in offers(region).values():
            if exact.get("instanceType", offer.name) == offer.name:
                yield from _products_of(offer)


def _products_of(offer: Offer) -> Iterator[tuple[dict[str, str], float]]:
    for system in ("Linux", "Windows") if offer.runs_windows else ("Linux",):
        licence = windows_licence(offer.facts) if system == "Windows" else 0.0
        for status in CAPACITY | PREPAID:
            price = 0.0 if status in PREPAID else offer.on_demand + licence
            yield _attributes(offer, system, status), price


def _attributes(offer: Offer, system: str, status: str) -> dict[str, str]:
    usage = f"{USAGE[offer.region]}{(CAPACITY | PREPAID)[status]}:{offer.name}"
    generation = "Yes" if offer.facts["CurrentGeneration"] else "No"
    return {
        "servicecode": "AmazonEC2",
        "servicename": "Amazon Elastic Compute Cloud",
        "instanceType": offer.name,
        "instanceFamily": offer.name.partition(".")[0],
        "regionCode": offer.region,
        "location": REGIONS[offer.region],
        "locationType": "AWS Region",
        "operatingSystem": system,
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "licenseModel": "No License required",
        "capacitystatus": status,
        "marketoption": "OnDemand",
        "operation": OPERATIONS[system],
        "usagetype": usage,
        "vcpu": str(vcpus(offer.facts)),
        "memory": f"{offer.facts['MemoryInfo']['SizeInMiB'] / 1024:g} GiB",
        "currentGeneration": generation,
    }


def _meets_all(attributes: Mapping[str, str], filters: tuple[Filter, ...]) -> bool:
    return all(_meets(attributes, *given) for given in filters)


def _meets(attributes: Mapping[str, str], kind: str, field: str, value: str) -> bool:
    found = {"productFamily": "Compute Instance", **attributes}.get(field)
    if kind in ("TERM_MATCH", "EQUALS"):
        return found == value
    if kind == "CONTAINS":
        return found is not None and value in found
    if kind in ("ANY_OF", "NONE_OF"):
        return (found in set(value.split(","))) is (kind == "ANY_OF")
    raise AwsError("InvalidParameterException", f"The filter type {kind} is not valid.")


def _listing(attributes: Mapping[str, str], price: float) -> dict[str, Any]:
    sku = _code(*attributes.values())
    term = f"{sku}.JRTCKXETXF"
    rate = f"{term}.6YS6EN2CT7"
    what = f"{attributes['operatingSystem']} {attributes['instanceType']} Instance Hour"
    dimension = {
        "unit": "Hrs",
        "endRange": "Inf",
        "description": f"${price:.5g} per On Demand {what}",
        "appliesTo": [],
        "rateCode": rate,
        "beginRange": "0",
        "pricePerUnit": {"USD": f"{price:.10f}"},
    }
    on_demand = {
        "priceDimensions": {rate: dimension},
        "sku": sku,
        "effectiveDate": EFFECTIVE,
        "offerTermCode": "JRTCKXETXF",
        "termAttributes": {},
    }
    return {
        "product": {"productFamily": "Compute Instance", "attributes": attributes, "sku": sku},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {term: on_demand}},
        "version": "20260101000000",
        "publicationDate": EFFECTIVE,
    }


def _code(*parts: str) -> str:
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest().upper()
