from django.urls import path

from lab.api import views

urlpatterns = [
    path("assign-model", views.AssignModelView.as_view(), name="assign-model"),
    path("models", views.ModelsView.as_view(), name="models"),
    path("models/<uuid:model_id>", views.ModelView.as_view(), name="model"),
    path("models/<uuid:model_id>/stage", views.StageView.as_view(), name="model-stage"),
    path(
        "pipeline-status/<str:instance_id>",
        views.PipelineStatusView.as_view(),
        name="pipeline-status",
    ),
    path("config/<str:instance_id>", views.ConfigView.as_view(), name="config"),
    path("experiments/<str:instance_id>", views.ExperimentsView.as_view(), name="experiments"),
]
