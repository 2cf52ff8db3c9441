import pytest
from rest_framework.test import APIClient

from accounts.models import TokenFamily, User
from accounts.testing import a_user, an_admin, signed_in

pytestmark = pytest.mark.django_db
USERS = "/api/v1/admin/users"


def patch(client: APIClient, user: User, **changes: object):
    return client.patch(f"{USERS}/{user.pk}", changes, format="json")


@pytest.mark.parametrize(("role", "status"), [("admin", 200), ("lab", 403), ("user", 403)])
@pytest.mark.parametrize("method", ["get", "patch"])
def test_is_for_admins_only(role, status, method):
    client, other = signed_in(a_user(role)), a_user()
    path = USERS if method == "get" else f"{USERS}/{other.pk}"

    answer = getattr(client, method)(path)

    assert answer.status_code == status
    if status == 403:
        assert answer.json()["code"] == "role_required"


@pytest.mark.parametrize("path", [USERS, f"{USERS}/00000000-0000-4000-8000-000000000000"])
def test_needs_somebody_signed_in(path):
    answer = APIClient().get(path)

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_lists_users_in_pages_newest_first():
    admin, first, second = an_admin(), a_user(), a_user(is_active=False)
    client = signed_in(admin)

    page = client.get(USERS, {"limit": 2}).json()
    rest = client.get(page["next"]).json()

    assert [user["id"] for user in page["results"]] == [str(second.pk), str(first.pk)]
    assert [user["id"] for user in rest["results"]] == [str(admin.pk)]
    assert (page["previous"], rest["next"]) == (None, None)
    assert client.get(rest["previous"]).json()["results"] == page["results"]
    assert "password" not in page["results"][0]


def test_changes_a_role():
    user = a_user()

    answer = patch(signed_in(an_admin()), user, role="lab")

    assert (answer.status_code, answer.json()["role"]) == (200, "lab")
    user.refresh_from_db()
    assert (user.role, user.is_active) == ("lab", True)


def test_disabling_ends_all_log_ins_for_good():
    admin, user = signed_in(an_admin()), a_user()
    theirs = signed_in(user)

    assert patch(admin, user, is_active=False).json()["is_active"] is False
    assert theirs.get("/api/v1/auth/profile").json()["code"] == "token_revoked"
    assert patch(admin, user, is_active=True).json()["is_active"] is True
    assert theirs.get("/api/v1/auth/profile").json()["code"] == "token_revoked"
    assert signed_in(user).get("/api/v1/auth/profile").status_code == 200


def test_changes_nothing_else():
    user = a_user()

    patch(signed_in(an_admin()), user, email="x@example.com", password="x", username="x")

    assert User.objects.filter(pk=user.pk, email=user.email, password=user.password).exists()


@pytest.mark.parametrize(
    "change", [{"role": "root"}, {"role": None}, {"role": []}, {"is_active": "perhaps"},
               {"is_active": None}, {"is_active": {}}]
)  # fmt: skip
def test_a_bad_field_is_a_400(change):
    answer = patch(signed_in(an_admin()), a_user(), **change)

    assert (answer.status_code, list(answer.json()["errors"])) == (400, list(change))


def test_an_unknown_user_is_a_404():
    answer = signed_in(an_admin()).patch(f"{USERS}/00000000-0000-4000-8000-000000000000")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


class TestLastAdmin:
    @pytest.mark.parametrize("change", [{"role": "user"}, {"role": "lab"}, {"is_active": False}])
    def test_cannot_leave(self, change):
        admin = an_admin()
        an_admin(is_active=False)
        client = signed_in(admin)

        answer = patch(client, admin, **change)

        assert (answer.status_code, answer.json()["code"]) == (409, "last_admin")
        assert client.get(USERS).status_code == 200
        assert TokenFamily.objects.get().revoked_at is None

    def test_may_stay(self):
        admin = an_admin()

        answer = patch(signed_in(admin), admin, role="admin", is_active=True)

        assert answer.status_code == 200

    def test_may_leave_once_there_is_another(self):
        admin = an_admin()
        an_admin()

        assert patch(signed_in(admin), admin, role="user").status_code == 200
