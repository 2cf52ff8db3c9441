from django.urls import path

from lab.pages import views as pages

INSTANCE = "lab/instances/<str:instance_id>"

urlpatterns = [
    path("lab", pages.lab, name="lab"),
    path("lab/models/<uuid:model_id>/stage", pages.move_model, name="lab-model-stage"),
    path(INSTANCE, pages.instance, name="lab-instance"),
    path(f"{INSTANCE}/model", pages.assign_model, name="lab-instance-model"),
    path(f"{INSTANCE}/config", pages.change_config, name="lab-instance-config"),
]
