"""Operating systems, by the name each AWS pricing API uses for them."""

from typing import NamedTuple

from spot_optimizer.errors import Conflict


class NoPrices(Conflict):
    """No spot prices are available for this request."""

    code = "no_prices"


class Product(NamedTuple):
    """An operating system, as named by the spot price history, the Price List and the Advisor."""

    description: str  # DescribeSpotPriceHistory's ProductDescription
    operating_system: str  # the Price List's operatingSystem
    advisor_system: str  # the Advisor has two: "Linux" and "Windows"


LINUX = Product("Linux/UNIX", "Linux", "Linux")
PRODUCTS = (
    LINUX,
    Product("Red Hat Enterprise Linux", "RHEL", "Linux"),
    Product("SUSE Linux", "SUSE", "Linux"),
    Product("Windows", "Windows", "Windows"),
)


def product_of(platform_details: str) -> Product:
    """
    Return the product that prices an instance with these ``PlatformDetails``.

    :raises NoPrices: AWS publishes no spot prices for this platform
    """
    for product in PRODUCTS:
        # In a VPC the same product has a longer name, and the same price.
        if platform_details in (product.description, f"{product.description} (Amazon VPC)"):
            return product
    raise NoPrices(
        f"AWS publishes no spot prices for {platform_details[:60]}. Evaluate an instance that "
        f"runs Linux, Red Hat Enterprise Linux, SUSE Linux or Windows."
    )
