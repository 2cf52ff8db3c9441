import pytest

from spot_optimizer.market.models import InstanceTypeFacts, Pool, Region


@pytest.fixture(autouse=True)
def nothing_is_known(request):
    """Tests of the store begin with an empty one, whatever tests of other apps have fetched."""
    if request.node.get_closest_marker("django_db"):
        for model in (Pool, Region, InstanceTypeFacts):
            model.objects.all().delete()
