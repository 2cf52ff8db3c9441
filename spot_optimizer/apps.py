from django.apps import AppConfig


class SpotOptimizerConfig(AppConfig):
    name = "spot_optimizer"

    def ready(self) -> None:
        from spot_optimizer import celery  # noqa: F401  # registers the app of shared tasks
