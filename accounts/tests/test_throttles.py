import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from accounts.rate_limits import CountingMemory
from accounts.testing import PASSWORD, a_user, signed_in
from accounts.throttles import seconds_to_wait

pytestmark = pytest.mark.django_db
AUTH = "/api/v1/auth"


def guess(email: str, *, address: str = "192.0.2.1", **headers: str):
    body = {"email": email, "password": "wrong"}
    return APIClient(REMOTE_ADDR=address).post(
        f"{AUTH}/login", body, format="json", headers=headers
    )


def codes(answers: list) -> list[int]:
    return [answer.status_code for answer in answers]


class TestGuesses:
    def test_are_slowed_per_account_from_all_addresses(self, settings):
        settings.THROTTLE_LOGIN = "3/min"
        user = a_user()

        answers = [guess(user.email, address=f"192.0.2.{n}") for n in range(5)]

        assert codes(answers) == [401, 401, 401, 429, 429]
        assert answers[3].json()["code"] == "too_many_requests"
        assert 1 <= int(answers[3]["Retry-After"]) <= 60
        assert answers[3]["Retry-After"] in answers[3].json()["detail"]
        assert guess("other@example.com").status_code == 401

    def test_are_rate_limited_for_an_unknown_account_too(self, settings):
        settings.THROTTLE_LOGIN = "1/min"

        answers = [guess(email) for email in ["no@example.com", " NO@example.com "]]

        assert codes(answers) == [401, 429]

    def test_are_slowed_per_address_for_all_accounts(self, settings):
        settings.THROTTLE_LOGIN_ADDRESS = "3/min"

        answers = [guess(f"user-{n}@example.com") for n in range(4)]

        assert codes(answers) == [401, 401, 401, 429]
        assert guess("x@example.com", address="192.0.2.9").status_code == 401

    def test_a_forged_forwarded_header_does_not_change_the_address(self, settings):
        settings.THROTTLE_LOGIN_ADDRESS = "2/min"

        answers = [
            guess(f"user-{n}@example.com", **{"X-Forwarded-For": f"198.51.100.{n}"})
            for n in range(3)
        ]

        assert codes(answers) == [401, 401, 429]

    @pytest.mark.parametrize(
        ("proxies", "forwarded"),
        [(1, "203.0.113.9, {}"), (1, "{}"), (2, "203.0.113.9,{}, 10.0.0.2"), (2, "{},10.0.0.2")],
    )
    def test_behind_proxies_each_client_has_a_rate_of_his_own(self, proxies, forwarded, settings):
        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": proxies}
        settings.THROTTLE_LOGIN_ADDRESS = "1/min"
        seen = ["198.51.100.1", "198.51.100.1", "198.51.100.2"]

        answers = [
            guess(f"user-{n}@example.com", **{"X-Forwarded-For": forwarded.format(address)})
            for n, address in enumerate(seen)
        ]

        assert codes(answers) == [401, 429, 401]

    def test_behind_a_proxy_a_forged_forwarded_header_does_not_change_the_address(self, settings):
        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
        settings.THROTTLE_LOGIN_ADDRESS = "2/min"

        answers = [
            guess(
                f"user-{n}@example.com",
                # The address that the client claims, then the one that the proxy added.
                **{"X-Forwarded-For": f"198.51.100.{n}, 192.0.2.77"},
            )
            for n in range(3)
        ]

        assert codes(answers) == [401, 401, 429]

    def test_the_right_password_does_not_get_past(self, settings):
        settings.THROTTLE_LOGIN = "1/min"
        user = a_user()
        guess(user.email)

        answer = APIClient().post(
            f"{AUTH}/login", {"email": user.email, "password": PASSWORD}, format="json"
        )

        assert answer.status_code == 429

    @pytest.mark.parametrize("body", ["[]", "null", '"x"', '{"email": {}}', "{"])
    def test_a_body_without_an_email_counts_for_the_address(self, body, settings):
        settings.THROTTLE_LOGIN_ADDRESS = "1/min"
        client = APIClient()

        answers = [
            client.post(f"{AUTH}/login", body, content_type="application/json") for _ in range(2)
        ]

        assert codes(answers) == ([400, 400] if body == "{" else [400, 429])

    def test_of_the_current_password_are_slowed_too(self, settings):
        settings.THROTTLE_LOGIN = "2/min"
        client = signed_in(a_user())
        body = {"current_password": "wrong", "new_password": "another-Horse-8-battery"}

        answers = [client.post(f"{AUTH}/password", body, format="json") for _ in range(3)]

        assert codes(answers) == [400, 400, 429]

    def test_are_rejected_if_the_cache_is_unreachable(self, settings):
        settings.CACHES = {"default": UNREACHABLE}

        answer = guess("ada@example.com")

        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer["Retry-After"]) >= 1


UNREACHABLE = {
    "BACKEND": "accounts.rate_limits.CountingRedis",
    "LOCATION": "redis://127.0.0.1:1/0",
}


class TestRegistrations:
    def test_are_slowed_per_address(self, settings):
        settings.THROTTLE_REGISTER = "2/h"

        answers = [APIClient().post(f"{AUTH}/register", {}, format="json") for _ in range(3)]

        assert codes(answers) == [400, 400, 429]
        assert 60 < int(answers[2]["Retry-After"]) <= 3600


class TestApi:
    def test_is_slowed_per_user(self, settings):
        settings.THROTTLE_API = "2/min"
        ada, bob = signed_in(a_user()), signed_in(a_user())

        answers = [ada.get(f"{AUTH}/profile") for _ in range(3)]

        assert codes(answers) == [200, 200, 429]
        assert bob.get(f"{AUTH}/profile").status_code == 200

    def test_is_slowed_per_address_for_those_not_signed_in(self, settings):
        settings.THROTTLE_API = "1/s"

        answers = [APIClient().post(f"{AUTH}/refresh", {}, format="json") for _ in range(2)]

        assert codes(answers) == [400, 429]
        assert answers[1]["Retry-After"] == "1"

    def test_allows_requests_if_the_cache_is_unreachable(self, settings):
        settings.CACHES = {"default": UNREACHABLE}

        assert signed_in(a_user()).get(f"{AUTH}/profile").status_code == 200


class TestSecondsToWait:
    def test_loses_no_count_to_simultaneous_requests(self):
        with ThreadPoolExecutor(max_workers=8) as pool:
            waits = list(pool.map(lambda _: seconds_to_wait("test", "ada", "20/h"), range(100)))

        assert waits.count(0) == 20

    def test_a_new_window_begins_when_the_old_one_is_over(self):
        for _ in range(3):
            seconds_to_wait("test", "ada", "1/h")
        assert seconds_to_wait("test", "ada", "1/h") > 3500

        cache.clear()  # as when the window ends

        assert seconds_to_wait("test", "ada", "1/h") == 0

    def test_a_window_in_memory_ends_after_its_period(self, monkeypatch):
        now = time.time()
        counter = CountingMemory("windows", {})
        monkeypatch.setattr(time, "time", lambda: now)
        counter.hit("key", 60)
        second = counter.hit("key", 60)

        monkeypatch.setattr(time, "time", lambda: now + 61)

        assert (second.so_far, counter.hit("key", 60).so_far) == (2, 1)
