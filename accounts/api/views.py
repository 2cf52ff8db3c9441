from uuid import UUID

from django.contrib.auth import update_session_auth_hash
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import queries, services
from accounts.api.serializers import (
    LoginIn,
    PasswordIn,
    ProfileIn,
    ProfileOut,
    RefreshIn,
    RegisterIn,
    TokensOut,
    UserChangeIn,
    VerifyOut,
)
from accounts.permissions import IsAdmin
from accounts.requests import UserRequest
from accounts.throttles import ApiThrottle, LoginThrottle, PasswordThrottle, RegisterThrottle
from accounts.tokens import expires_at
from spot_optimizer.api.parsers import validated
from spot_optimizer.api.schema import ErrorOut


# A comment, because a docstring would become the description in the API documentation.
# An expired token in the header is ignored.
class PublicView(APIView):
    authentication_classes = ()
    permission_classes = (AllowAny,)


class RegisterView(PublicView):
    throttle_classes = (RegisterThrottle,)

    @extend_schema(summary="Create an account", request=RegisterIn, responses={201: TokensOut})
    def post(self, request: Request) -> Response:
        fields = validated(RegisterIn, request.data)
        user = services.register(**fields)
        tokens = services.start_family(user=user, now=timezone.now())
        return Response(TokensOut(tokens).data, status=status.HTTP_201_CREATED)


class LoginView(PublicView):
    throttle_classes = (LoginThrottle,)

    @extend_schema(summary="Sign in", request=LoginIn, responses={200: TokensOut, 401: ErrorOut})
    def post(self, request: Request) -> Response:
        fields = validated(LoginIn, request.data)
        tokens = services.log_in(**fields, now=timezone.now())
        return Response(TokensOut(tokens).data)


class RefreshView(PublicView):
    @extend_schema(
        summary="Refresh tokens", request=RefreshIn, responses={200: TokensOut, 401: ErrorOut}
    )
    def post(self, request: Request) -> Response:
        fields = validated(RefreshIn, request.data)
        tokens = services.rotate(**fields, now=timezone.now())
        return Response(TokensOut(tokens).data)


class LogoutView(PublicView):
    @extend_schema(summary="Sign out", request=RefreshIn, responses={204: None, 401: ErrorOut})
    def post(self, request: Request) -> Response:
        fields = validated(RefreshIn, request.data)
        services.log_out(**fields, now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)


class ProfileView(APIView):
    @extend_schema(summary="Get your profile", responses=ProfileOut)
    def get(self, request: UserRequest) -> Response:
        return Response(ProfileOut(request.user).data)

    @extend_schema(summary="Change your profile", request=ProfileIn, responses=ProfileOut)
    def patch(self, request: UserRequest) -> Response:
        fields = validated(ProfileIn, request.data)
        services.change_profile(user=request.user, **fields)
        return Response(ProfileOut(request.user).data)


class PasswordView(APIView):
    throttle_classes = (ApiThrottle, PasswordThrottle)

    @extend_schema(summary="Change your password", request=PasswordIn, responses={204: None})
    def post(self, request: UserRequest) -> Response:
        fields = validated(PasswordIn, request.data)
        services.change_password(
            user=request.user,
            current=fields["current_password"],
            new=fields["new_password"],
            access_token=request.auth,
            now=timezone.now(),
        )
        if request.auth is None:
            update_session_auth_hash(request, request.user)  # this browser stays signed in
        return Response(status=status.HTTP_204_NO_CONTENT)


class VerifyView(APIView):
    @extend_schema(summary="Verify a token", responses=VerifyOut)
    def get(self, request: UserRequest) -> Response:
        expiry = expires_at(request.auth) if request.auth else request.session.get_expiry_date()
        data = {"valid": True, "user": request.user, "expires_at": expiry}
        return Response(VerifyOut(data).data)


@extend_schema(summary="List users, newest first")
class UsersView(ListAPIView):
    permission_classes = (IsAdmin,)
    serializer_class = ProfileOut
    queryset = queries.all_users()


class UserView(APIView):
    permission_classes = (IsAdmin,)

    @extend_schema(summary="Get a user", responses=ProfileOut)
    def get(self, request: UserRequest, user_id: UUID) -> Response:
        return Response(ProfileOut(queries.get_user(user_id)).data)

    @extend_schema(summary="Change a user", request=UserChangeIn, responses=ProfileOut)
    def patch(self, request: UserRequest, user_id: UUID) -> Response:
        fields = validated(UserChangeIn, request.data)
        user = services.change_user(user_id=user_id, **fields, now=timezone.now())
        return Response(ProfileOut(user).data)
