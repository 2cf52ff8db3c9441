import os

from celery import Celery
from celery.signals import heartbeat_sent, setup_logging

from spot_optimizer.first_start import check_environment
from spot_optimizer.heartbeat import beat

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spot_optimizer.settings")
check_environment()


@setup_logging.connect
def keep_our_logging(**_: object) -> None:
    """Where somebody listens here, Celery leaves the settings' LOGGING as it is."""


app = Celery("spot_optimizer")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
heartbeat_sent.connect(beat)
