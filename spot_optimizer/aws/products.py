"""What runs on an instance, in the words of each AWS interface that prices it."""

from typing import NamedTuple

from spot_optimizer.errors import Conflict


class NoPrices(Conflict):
    """There are no prices for this."""

    code = "no_prices"


class Product(NamedTuple):
    """An operating system: what spot prices, on-demand prices and the Advisor call it."""

    description: str  # DescribeSpotPriceHistory's ProductDescription
    operating_system: str  # the Price List's operatingSystem
    advisor_system: str  # the Advisor tells two apart


LINUX = Product("Linux/UNIX", "Linux", "Linux")
PRODUCTS = (
    LINUX,
    Product("Red Hat Enterprise Linux", "RHEL", "Linux"),
    Product("SUSE Linux", "SUSE", "Linux"),
    Product("Windows", "Windows", "Windows"),
)


def product_of(platform_details: str) -> Product:
    """
    Return the product that an instance with EC2's ``PlatformDetails`` is priced as.

    :raises NoPrices: AWS sells no spot capacity for it at a price it publishes
    """
    for product in PRODUCTS:
        # A Virtual Private Cloud changes the name of a product, not its price.
        if platform_details in (product.description, f"{product.description} (Amazon VPC)"):
            return product
    raise NoPrices(
        f"AWS publishes no spot prices for {platform_details[:60]}. Evaluate an instance that "
        f"runs Linux, Red Hat Enterprise Linux, SUSE Linux or Windows."
    )
