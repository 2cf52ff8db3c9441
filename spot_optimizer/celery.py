from celery import Celery

app = Celery("spot_optimizer")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
