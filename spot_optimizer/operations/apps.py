from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class OperationsConfig(AppConfig):
    """What operators need: runs of periodic jobs, health, metrics, the front page of admin."""

    name = "spot_optimizer.operations"


class OperatorsAdminConfig(AdminConfig):
    default_site = "spot_optimizer.operations.site.OperatorsSite"
