from django.urls import path

from sandbox.api import views
from sandbox.api.evaluate_view import evaluate
from sandbox.api.eventbridge import EventBridgeView

SESSION = "sandbox/sessions/<uuid:session_id>"

urlpatterns = [
    path("sandbox/sessions", views.SessionsView.as_view(), name="sessions"),
    path(SESSION, views.SessionView.as_view(), name="api-session"),
    path(f"{SESSION}/evaluate", evaluate, name="evaluate"),
    path(f"{SESSION}/evaluations", views.EvaluationsView.as_view(), name="evaluations"),
    path(
        f"{SESSION}/evaluations/<uuid:evaluation_id>",
        views.EvaluationView.as_view(),
        name="evaluation",
    ),
    path(f"{SESSION}/actions", views.ActionsView.as_view(), name="actions"),
    path(f"{SESSION}/logs", views.LogsView.as_view(), name="logs"),
    path(f"{SESSION}/iam-policy", views.IamPolicyView.as_view(), name="iam-policy"),
    path("signals/eventbridge", EventBridgeView.as_view(), name="eventbridge"),
]
