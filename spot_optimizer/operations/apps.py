from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class OperationsConfig(AppConfig):
    """Periodic job runs, health, metrics and the admin index."""

    name = "spot_optimizer.operations"


class OperatorsAdminConfig(AdminConfig):
    default_site = "spot_optimizer.operations.site.OperatorsSite"
