import pytest
from django.apps import apps
from django.contrib.auth import get_user_model

from spot_optimizer.market.testing import a_market, a_price

pytestmark = pytest.mark.django_db
MODELS = [model._meta.model_name for model in apps.get_app_config("market").get_models()]


@pytest.fixture
def admin(client):
    user = get_user_model().objects.create_superuser(
        email="root@example.com", username="root", password="correct-Horse-7-battery"
    )
    client.force_login(user)
    return client


@pytest.mark.parametrize("model", MODELS)
def test_market_data_is_read_only(admin, model):
    a_market(a_price("0.04", hours=-200))

    assert admin.get(f"/admin/market/{model}/").status_code == 200
    assert admin.get(f"/admin/market/{model}/add/").status_code == 403


@pytest.mark.parametrize(
    ("model", "text"), [("pool", "m5.large"), ("spotprice", "m5.large"), ("coverage", "use1-az1")]
)
def test_search_by_name(admin, model, text):
    a_market(a_price("0.04", hours=-200))

    assert b"1 result" in admin.get(f"/admin/market/{model}/?q={text}").content
    assert b"0 results" in admin.get(f"/admin/market/{model}/?q=nothing").content
