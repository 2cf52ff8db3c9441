"""Cookie sessions: signing in, the browsable API and the Django admin."""

import re

import pytest
from django.test import Client

from accounts.models import TokenFamily, User
from accounts.testing import NEW_PASSWORD, PASSWORD, a_user, an_admin, signed_in

pytestmark = pytest.mark.django_db
SIGN_IN = "/sign-in"
ADMIN = "/admin/login/"
PROFILE = "/api/v1/auth/profile"
PAGES = "text/html,application/xhtml+xml,*/*;q=0.8"


def log_in(user: User, password: str = PASSWORD, *, client: Client | None = None, path=SIGN_IN):
    client = client or Client()
    name = "username" if path == ADMIN else "email"
    answer = client.post(path, {name: user.email, "password": password})
    return client, answer


def inline_scripts(page: str) -> list[str]:
    """Return inline scripts and event handlers, which the content security policy blocks."""
    scripts = re.findall(r"<script(?![^>]*\bsrc=)(?![^>]*application/json)[^>]*>", page)
    return scripts + re.findall(r"<[^>]+\son[a-z]+\s*=", page) + re.findall("javascript:", page)


class TestSessionLogIn:
    def test_opens_the_browsable_api(self):
        user = a_user()
        client, answer = log_in(user)

        page = client.get(PROFILE, headers={"Accept": PAGES})

        assert answer.status_code == 302
        assert page.status_code == 200
        assert page["Content-Type"].startswith("text/html")
        assert user.email in page.content.decode()

    def test_matches_the_email_case_insensitively(self):
        user = a_user()

        answer = Client().post(SIGN_IN, {"email": user.email.upper(), "password": PASSWORD})

        assert answer.status_code == 302

    def test_rejects_a_wrong_password_and_a_disabled_user_with_the_same_error(self):
        _, wrong = log_in(a_user(), "wrong")
        _, disabled = log_in(a_user(is_active=False))

        assert (wrong.status_code, disabled.status_code) == (401, 401)
        assert "sessionid" not in wrong.cookies | disabled.cookies

    def test_is_slowed_by_the_counts_of_the_log_in_for_tokens(self, settings):
        settings.THROTTLE_LOGIN = "2/min"
        user = a_user()
        log_in(user, "wrong")
        Client().post(
            "/api/v1/auth/login",
            {"email": user.email, "password": "wrong"},
            content_type="application/json",
        )

        client, answer = log_in(user)

        assert "Too many attempts" in answer.content.decode()
        assert client.get(PROFILE).status_code == 401

    def test_leads_nowhere_else(self):
        user = a_user()
        path = f"{SIGN_IN}?next=https://evil.example/"

        _, answer = log_in(user, path=path)

        assert answer["Location"] == "/"

    def test_changes_need_the_csrf_token(self):
        client, _ = log_in(a_user(), client=Client(enforce_csrf_checks=False))
        client.handler.enforce_csrf_checks = True

        answer = client.patch(PROFILE, {"full_name": "x"}, content_type="application/json")

        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")

    def test_a_form_without_the_csrf_token_gets_an_explanation(self):
        answer = Client(enforce_csrf_checks=True).post(SIGN_IN, {"email": "x", "password": "y"})

        assert (answer.status_code, answer.json()["code"]) == (403, "csrf_failed")

    def test_log_out_ends_it(self):
        client, _ = log_in(a_user())

        answer = client.post("/sign-out")

        assert answer["Location"] == SIGN_IN
        assert client.get(PROFILE).status_code == 401

    def test_a_new_password_ends_every_other_session(self):
        user = a_user()
        (here, _), (there, _) = log_in(user), log_in(user)
        token = signed_in(user)
        body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}

        answer = here.post("/api/v1/auth/password", body, content_type="application/json")

        assert answer.status_code == 204
        assert here.get(PROFILE).status_code == 200
        assert there.get(PROFILE).status_code == 401
        assert token.get(PROFILE).status_code == 401

    def test_verify_returns_when_the_session_expires(self):
        client, _ = log_in(a_user())

        body = client.get("/api/v1/auth/verify").json()

        assert body["valid"] is True
        assert body["expires_at"].endswith("Z")

    def test_a_disabled_user_is_out_at_once(self):
        client, _ = log_in(a_user())
        User.objects.update(is_active=False)

        assert client.get(PROFILE).status_code == 401


class TestPages:
    @pytest.mark.parametrize("path", [PROFILE, "/api/v1/auth/password", "/api/v1/admin/users"])
    def test_need_no_script_that_the_policy_forbids(self, path):
        client, _ = log_in(an_admin())

        page = client.get(path, headers={"Accept": PAGES})

        assert page["Content-Type"].startswith("text/html")
        assert inline_scripts(page.content.decode()) == []
        assert "script-src" not in page["Content-Security-Policy"]
        assert "default-src 'self'" in page["Content-Security-Policy"]

    @pytest.mark.parametrize("path", [SIGN_IN, PROFILE, "/api/v1/auth/login", ADMIN])
    def test_work_signed_out(self, path):
        page = Client().get(path, headers={"Accept": PAGES})

        assert page.status_code in (200, 401, 405)
        assert page["Content-Type"].startswith("text/html")
        assert inline_scripts(page.content.decode()) == []

    @pytest.mark.parametrize("header", ["Bearer x", "Bearer "])
    def test_work_with_a_bad_token(self, header):
        page = Client().get(PROFILE, headers={"Accept": PAGES, "Authorization": header})

        assert page.status_code == 401
        assert "token_invalid" in page.content.decode()

    def test_log_out_is_a_form(self):
        client, _ = log_in(a_user())

        page = client.get(PROFILE, headers={"Accept": PAGES}).content.decode()

        assert 'method="post" action="/sign-out"' in page


class TestAdmin:
    USERS = "/admin/accounts/user/"
    FAMILIES = "/admin/accounts/tokenfamily/"

    @pytest.fixture
    def admin(self) -> User:
        return an_admin()

    @pytest.fixture
    def client(self, admin: User) -> Client:
        return log_in(admin, path=ADMIN)[0]

    @pytest.mark.parametrize("role", ["user", "lab"])
    def test_is_for_admins_only(self, role):
        client, _ = log_in(a_user(role))

        assert client.get(self.USERS).status_code == 302

    def test_log_in_is_slowed(self, settings):
        settings.THROTTLE_LOGIN = "1/min"
        admin = an_admin()
        log_in(admin, "wrong", path=ADMIN)

        _, answer = log_in(admin, path=ADMIN)

        assert "Too many attempts" in answer.content.decode()

    def test_finds_users(self, client):
        user = a_user(full_name="Grace Hopper")

        page = client.get(self.USERS, {"q": "hopper", "role__exact": "user"}).content.decode()

        assert user.email in page
        assert "1 user" in page

    def test_shows_no_password_hash(self, client):
        user = a_user()

        for path in (self.USERS, f"{self.USERS}{user.pk}/change/"):
            page = client.get(path)
            assert page.status_code == 200
            assert user.password.split("$")[-1][:10] not in page.content.decode()
            assert "bcrypt" not in page.content.decode()

    def test_adds_a_user(self, client):
        form = {
            "email": "Grace@example.com",
            "username": "grace",
            "full_name": "",
            "role": "lab",
            "password1": PASSWORD,
            "password2": PASSWORD,
        }

        answer = client.post(f"{self.USERS}add/", form)

        assert answer.status_code == 302
        user = User.objects.get(email="grace@example.com")
        assert (user.role, user.check_password(PASSWORD)) == ("lab", True)

    @pytest.mark.parametrize(
        ("field", "value"), [("password2", "12345"), ("email", "x"), ("username", "TAKEN")]
    )
    def test_adds_no_bad_user(self, client, field, value):
        a_user(username="taken")
        form = {
            "email": "grace@example.com",
            "username": "grace",
            "role": "lab",
            "password1": PASSWORD,
            "password2": PASSWORD,
        }

        answer = client.post(f"{self.USERS}add/", form | {field: value})

        assert answer.status_code == 200
        assert not User.objects.filter(role="lab").exists()

    def edit(self, client: Client, user: User, **changes: object):
        form = {"username": user.username, "full_name": user.full_name, "role": user.role}
        path = f"{self.USERS}{user.pk}/change/"
        return client.post(path, form | {"is_active": "on"} | changes)

    def test_changes_a_user(self, client):
        user = a_user()

        answer = self.edit(client, user, role="lab", full_name="Grace")

        user.refresh_from_db()
        assert answer.status_code == 302
        assert (user.role, user.full_name, user.is_active) == ("lab", "Grace", True)

    def test_disabling_ends_all_log_ins(self, client):
        user = a_user()
        signed_in(user)

        self.edit(client, user, is_active="")

        user.refresh_from_db()
        assert not user.is_active
        assert TokenFamily.objects.get().revoked_at is not None

    @pytest.mark.parametrize("change", [{"role": "user"}, {"is_active": ""}])
    def test_does_not_demote_or_disable_the_last_admin(self, client, admin, change):
        answer = self.edit(client, admin, **change)

        admin.refresh_from_db()
        assert "last active admin" in answer.content.decode()
        assert (admin.role, admin.is_active) == ("admin", True)

    def test_a_new_password_ends_all_log_ins(self, client):
        user = a_user()
        theirs = signed_in(user)
        form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}

        answer = client.post(f"{self.USERS}{user.pk}/password/", form)

        user.refresh_from_db()
        assert answer.status_code == 302
        assert user.check_password(NEW_PASSWORD)
        assert theirs.get(PROFILE).status_code == 401

    def test_deletes_nobody(self, client):
        user = a_user()

        answer = client.post(f"{self.USERS}{user.pk}/delete/", {"post": "yes"})

        assert answer.status_code == 403
        assert User.objects.filter(pk=user.pk).exists()

    def test_shows_log_ins_and_changes_none(self, client):
        user = a_user()
        signed_in(user)
        family = TokenFamily.objects.get()

        listed = client.get(self.FAMILIES, {"q": user.email, "revoked_at__isempty": "1"})
        page = client.get(f"{self.FAMILIES}{family.pk}/change/")

        assert user.email in listed.content.decode()
        assert page.status_code == 200
        assert family.current_jti not in page.content.decode()
        assert client.get(f"{self.FAMILIES}add/").status_code == 403
        assert client.post(f"{self.FAMILIES}{family.pk}/change/", {}).status_code == 403
        assert client.post(f"{self.FAMILIES}{family.pk}/delete/", {}).status_code == 403

    def test_revokes_a_log_in(self, client):
        theirs = signed_in(a_user())
        chosen = {"action": "revoke", "_selected_action": [str(TokenFamily.objects.get().pk)]}

        client.post(self.FAMILIES, chosen)

        assert theirs.get(PROFILE).json()["code"] == "token_revoked"
