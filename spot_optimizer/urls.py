from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from spot_optimizer.api.schema_views import DocsView, SchemaView
from spot_optimizer.operations import views

admin.site.site_header = admin.site.site_title = "Spot Optimizer"
admin.site.index_title = "Operators"

handler400 = "spot_optimizer.dashboard.pages.bad_request"
handler403 = "spot_optimizer.dashboard.pages.forbidden"
handler404 = "spot_optimizer.dashboard.pages.page_not_found"
handler500 = "spot_optimizer.dashboard.pages.server_error"

favicon = RedirectView.as_view(url=static("dashboard/favicon.svg"))

api = [
    path("", include("accounts.api.urls")),
    path("", include("sandbox.api.urls")),
    path("lab/", include("lab.api.urls")),
    path("market/", include("spot_optimizer.market.urls")),
]
urlpatterns = [
    path("api/v1/", include(api)),
    path("favicon.ico", favicon, name="favicon"),
    path("admin/", admin.site.urls),
    path("", include("sandbox.pages.urls")),
    path("", include("lab.pages.urls")),
    path("", include("accounts.pages.urls")),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("docs", DocsView.as_view(url_name="schema"), name="docs"),
    path("health", views.ready, name="health"),
    path("health/live", views.live, name="health-live"),
    path("health/ready", views.ready, name="health-ready"),
    path("metrics", views.metrics, name="metrics"),
]
