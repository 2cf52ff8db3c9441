"""Users of a running platform, created through its API and signed in by its form."""

from dataclasses import dataclass
from itertools import count

from playwright.async_api import BrowserContext

from spot_optimizer.tests.quickstart import Platform

PASSWORD = "SecurePassword123"
SIGN_IN = "/sign-in"
_numbers = count(1)


@dataclass
class BrowserUser:
    id: str
    email: str
    token: str
    password: str = PASSWORD


def create_user(platform: Platform, role: str = "user", *, name: str | None = None) -> BrowserUser:
    name = name or f"person{next(_numbers)}"
    body = {"email": f"{name}@example.com", "username": name, "password": PASSWORD}
    answer = platform.request("POST", "/api/v1/auth/register", body).json()
    if role != "user":
        _give_role(platform, answer["user"]["id"], role)
    return BrowserUser(answer["user"]["id"], body["email"], answer["access_token"])


def _give_role(platform: Platform, user_id: str, role: str) -> None:
    admin = platform.request("POST", "/api/v1/auth/login", platform.facts["admin"]).json()
    path = f"/api/v1/admin/users/{user_id}"
    answer = platform.request("PATCH", path, {"role": role}, admin["access_token"])
    assert answer.status == 200, answer.data


async def sign_in(context: BrowserContext, person: BrowserUser) -> None:
    """Sign a new browser context in as this user."""
    await context.request.get(SIGN_IN)
    token = next(each for each in await context.cookies() if each["name"] == "csrftoken")
    form = {"email": person.email, "password": person.password}
    form |= {"csrfmiddlewaretoken": token["value"]}
    answer = await context.request.post(SIGN_IN, form=form, max_redirects=0)
    assert answer.status == 302, await answer.text()
