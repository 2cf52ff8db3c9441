from django.urls import path

from sandbox.pages import views as pages
from sandbox.pages.session import session_page

urlpatterns = [
    path("", pages.home, name="home"),
    path("sessions/new", pages.new_session, name="new-session"),
    path("sessions/demo", pages.demo_session, name="demo-session"),
    path("sessions/<uuid:session_id>", session_page, name="session"),
]
