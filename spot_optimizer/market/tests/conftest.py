import pytest

from spot_optimizer.market.models import InstanceTypeFacts, Pool, Region


@pytest.fixture(autouse=True)
def empty_market(request):
    """Delete market data that tests of other apps stored."""
    if request.node.get_closest_marker("django_db"):
        for model in (Pool, Region, InstanceTypeFacts):
            model.objects.all().delete()
