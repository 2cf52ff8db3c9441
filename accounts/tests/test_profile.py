from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.testing import NEW_PASSWORD, PASSWORD, a_user, signed_in

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth"


def post(path: str, body: object, client: APIClient | None = None):
    return (client or APIClient()).post(f"{AUTH}/{path}", body, format="json")


def log_in(email: str, password: str = PASSWORD):
    return post("login", {"email": email, "password": password})


def bearer(tokens: dict[str, str]) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access_token']}")
    return client


class TestProfile:
    def test_returns_the_fields_of_the_contract(self):
        user = a_user(full_name="Ada", active_sessions_count=3)

        data = signed_in(user).get(f"{AUTH}/profile").json()

        assert set(data) == {
            "id",
            "email",
            "username",
            "full_name",
            "role",
            "is_active",
            "created_at",
            "last_login",
            "active_sessions_count",
        }
        assert data["id"] == str(user.pk)
        assert data["active_sessions_count"] == 3

    def test_changes_names_and_nothing_else(self):
        user = a_user()
        body = {"full_name": "Ada L.", "username": "ada", "role": "admin", "email": "x@y.de"}

        answer = signed_in(user).patch(f"{AUTH}/profile", body, format="json")

        assert answer.status_code == 200
        assert (answer.json()["full_name"], answer.json()["username"]) == ("Ada L.", "ada")
        user.refresh_from_db()
        assert (user.role, user.full_name) == ("user", "Ada L.")
        assert user.email != "x@y.de"

    def test_an_empty_change_changes_nothing(self):
        user = a_user(full_name="Ada")

        answer = signed_in(user).patch(f"{AUTH}/profile", {}, format="json")

        assert answer.json()["full_name"] == "Ada"

    def test_another_users_name_is_rejected_but_ones_own_is_accepted(self):
        a_user(username="bob")
        client = signed_in(a_user(username="ada"))

        found = client.patch(f"{AUTH}/profile", {"username": "BOB"}, format="json")
        mine = client.patch(f"{AUTH}/profile", {"username": "ADA"}, format="json")

        assert (found.status_code, list(found.json()["errors"])) == (400, ["username"])
        assert (mine.status_code, mine.json()["username"]) == (200, "ADA")

    @pytest.mark.parametrize("body", [{"username": None}, {"full_name": 3}, {"username": "a/b"}])
    def test_a_bad_field_is_a_400(self, body):
        answer = signed_in(a_user()).patch(f"{AUTH}/profile", body, format="json")

        assert (answer.status_code, list(answer.json()["errors"])) == (400, list(body))


class TestPassword:
    def change(self, client: APIClient, current: str = PASSWORD, new: str = NEW_PASSWORD):
        return post("password", {"current_password": current, "new_password": new}, client)

    def test_revokes_every_family_but_its_own(self):
        user = a_user()
        here, there = log_in(user.email).json(), log_in(user.email).json()

        answer = self.change(bearer(here))

        assert (answer.status_code, answer.content) == (204, b"")
        assert bearer(here).get(f"{AUTH}/profile").status_code == 200
        assert post("refresh", {"refresh_token": here["refresh_token"]}).status_code == 200
        assert bearer(there).get(f"{AUTH}/profile").json()["code"] == "token_revoked"
        refused = post("refresh", {"refresh_token": there["refresh_token"]})
        assert refused.json()["code"] == "token_revoked"

    def test_the_new_one_counts(self):
        user = a_user()
        self.change(signed_in(user))

        assert log_in(user.email).status_code == 401
        assert log_in(user.email, NEW_PASSWORD).status_code == 200

    def test_a_wrong_current_one_is_refused_and_nothing_ends(self):
        user = a_user()
        there = signed_in(user)

        answer = self.change(signed_in(user), current="wrong")

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_password")
        assert there.get(f"{AUTH}/profile").status_code == 200
        assert log_in(user.email).status_code == 200

    def test_a_weak_new_one_is_refused(self):
        answer = self.change(signed_in(a_user()), new="12345")

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
        assert list(answer.json()["errors"]) == ["new_password"]

    def test_leaves_other_users_alone(self):
        other = signed_in(a_user())

        self.change(signed_in(a_user()))

        assert other.get(f"{AUTH}/profile").status_code == 200


class TestVerify:
    def test_returns_the_user_and_the_expiry(self):
        user = a_user()

        data = signed_in(user).get(f"{AUTH}/verify").json()

        assert data["valid"] is True
        assert set(data["user"]) == {"id", "email", "username", "full_name", "role"}
        assert data["user"]["id"] == str(user.pk)
        assert data["expires_at"].endswith("Z")
        until = datetime.fromisoformat(data["expires_at"])
        assert abs(until - timezone.now() - timedelta(days=1)) < timedelta(minutes=1)

    def test_needs_a_token(self):
        answer = APIClient().get(f"{AUTH}/verify")

        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer["WWW-Authenticate"] == "Bearer"
