from django.urls import path

from accounts.pages import views as pages

urlpatterns = [
    path("sign-in", pages.sign_in, name="sign-in"),
    path("sign-in/link", pages.sign_in_by_link, name="sign-in-link"),
    path("register", pages.register, name="register"),
    path("sign-out", pages.sign_out, name="sign-out"),
]
