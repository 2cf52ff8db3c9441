from django.contrib import admin
from django.urls import path

handler404 = "spot_optimizer.api.page_not_found"

urlpatterns = [
    path("admin/", admin.site.urls),
]
