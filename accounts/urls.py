from django.contrib.auth.views import LogoutView as SessionLogoutView
from django.urls import include, path

from accounts import views

auth = [
    path("register", views.RegisterView.as_view(), name="api-register"),
    path("login", views.LoginView.as_view(), name="login"),
    path("refresh", views.RefreshView.as_view(), name="refresh"),
    path("logout", views.LogoutView.as_view(), name="logout"),
    path("profile", views.ProfileView.as_view(), name="profile"),
    path("password", views.PasswordView.as_view(), name="password"),
    path("verify", views.VerifyView.as_view(), name="verify"),
]
# The browsable API looks for these two under this namespace.
session = [
    path("login/", views.SessionLoginView.as_view(), name="login"),
    path("logout/", SessionLogoutView.as_view(next_page="rest_framework:login"), name="logout"),
]
urlpatterns = [
    path("api/v1/auth/", include(auth)),
    path("api/v1/admin/users", views.UsersView.as_view(), name="users"),
    path("api/v1/admin/users/<uuid:user_id>", views.UserView.as_view(), name="user"),
    path("api/session/", include((session, "rest_framework"))),
]
