"""The first three tests of the original specification, verbatim."""

import json
from uuid import UUID

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db


def post(path: str, body: str):
    return Client().post(path, body, content_type="application/json")


def register():
    return post(
        "/api/v1/auth/register",
        """{
    "email": "test@example.com",
    "username": "testuser",
    "password": "SecurePassword123",
    "full_name": "Test User"
  }""",
    )


def test_1_user_registration():
    answer = register()

    data = json.loads(answer.content)
    assert answer.status_code == 201
    assert data["token_type"] == "bearer"
    assert data["access_token"].startswith("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.")
    assert UUID(data["user"].pop("id"))
    assert data["user"] == {
        "email": "test@example.com",
        "username": "testuser",
        "full_name": "Test User",
        "role": "user",
    }


def test_2_user_login():
    register()

    answer = post(
        "/api/v1/auth/login",
        """{
    "email": "test@example.com",
    "password": "SecurePassword123"
  }""",
    )

    data = json.loads(answer.content)
    assert answer.status_code == 200
    assert set(data) == {"access_token", "refresh_token", "token_type", "expires_in", "user"}
    assert data["expires_in"] == 86400


def test_3_protected_endpoint():
    token = register().json()["access_token"]

    answer = Client().get("/api/v1/auth/profile", headers={"Authorization": f"Bearer {token}"})

    data = json.loads(answer.content)
    assert answer.status_code == 200
    assert UUID(data.pop("id"))
    assert data.pop("created_at").endswith("Z")
    assert data == {
        "email": "test@example.com",
        "username": "testuser",
        "full_name": "Test User",
        "role": "user",
        "is_active": True,
        "last_login": None,
        "active_sessions_count": 0,
    }
