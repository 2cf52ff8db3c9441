from django.urls import include, path

from accounts import pages, views

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
    path("api/v1/auth/", include(auth)),
    path("api/v1/admin/users", views.UsersView.as_view(), name="users"),
    path("api/v1/admin/users/<uuid:user_id>", views.UserView.as_view(), name="user"),
    path("sign-in", pages.sign_in, name="sign-in"),
    path("sign-in/link", pages.sign_in_by_link, name="sign-in-link"),
    path("register", pages.register, name="register"),
    path("sign-out", pages.sign_out, name="sign-out"),
]
