from django.urls import path

from spot_optimizer.market.views import HistoryView, PoolsView

urlpatterns = [
    path("pools", PoolsView.as_view(), name="market-pools"),
    path("history", HistoryView.as_view(), name="market-history"),
]
