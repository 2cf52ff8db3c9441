from django.urls import include, path

from accounts.api import views

auth = [
    path("register", views.RegisterView.as_view(), name="api-register"),
    path("login", views.LoginView.as_view(), name="login"),
    path("refresh", views.RefreshView.as_view(), name="refresh"),
    path("logout", views.LogoutView.as_view(), name="logout"),
    path("profile", views.ProfileView.as_view(), name="profile"),
    path("password", views.PasswordView.as_view(), name="password"),
    path("verify", views.VerifyView.as_view(), name="verify"),
]
urlpatterns = [
    path("auth/", include(auth)),
    path("admin/users", views.UsersView.as_view(), name="users"),
    path("admin/users/<uuid:user_id>", views.UserView.as_view(), name="user"),
]
