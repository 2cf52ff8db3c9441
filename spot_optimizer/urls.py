from django.contrib import admin
from django.urls import include, path

handler400 = "spot_optimizer.api.bad_request"
handler403 = "spot_optimizer.api.forbidden"
handler404 = "spot_optimizer.api.page_not_found"
handler500 = "spot_optimizer.api.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("accounts.urls")),
]
