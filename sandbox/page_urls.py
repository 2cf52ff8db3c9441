from django.urls import path

from sandbox import pages

urlpatterns = [
    path("", pages.home, name="home"),
    path("sessions/new", pages.new_session, name="new-session"),
    path("sessions/demo", pages.demo_session, name="demo-session"),
]
