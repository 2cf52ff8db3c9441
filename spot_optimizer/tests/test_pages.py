"""Pages for people and operators, and what every answer says."""

import asyncio
import re
import threading

import pytest
from django.contrib import admin
from django.test import AsyncClient
from django.urls import reverse

from accounts.testing import a_user, an_admin
from sandbox.testing import SECRET, a_session, an_evaluation

OURS = {"accounts", "sandbox", "lab", "streaming", "market"}
pytestmark = pytest.mark.django_db


class TestAdmin:
    def test_lists_and_details_of_every_model_are_there(self, client):
        client.force_login(an_admin())
        session = a_session()
        an_evaluation(session)

        for model, model_admin in admin.site._registry.items():
            name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
            assert client.get(reverse(f"{name}_changelist")).status_code == 200, name
            row = model._default_manager.first()
            if row is not None:
                page = client.get(reverse(f"{name}_change", args=[row.pk]))
                assert page.status_code == 200, name
            if model._meta.app_label in OURS:
                assert model_admin.list_display != ("__str__",), f"{name} says too little"

    def test_shows_no_secret(self, client):
        client.force_login(an_admin())
        session = a_session()
        sealed = bytes(session.sealed_credentials).decode()

        page = client.get(reverse("admin:sandbox_sandboxsession_change", args=[session.pk]))
        user = client.get(reverse("admin:accounts_user_change", args=[session.user_id]))

        told = page.content.decode() + user.content.decode()
        assert session.instance_id in told
        for secret in (SECRET, sealed, session.stream_ticket, session.user.password):
            assert secret not in told

    @pytest.mark.parametrize("role", ["user", "lab"])
    def test_is_for_admins_only(self, client, role):
        client.force_login(a_user(role))

        assert client.get("/admin/").status_code == 302


class TestDocs:
    def test_need_no_inline_script_and_nobody_elses_server(self, client):
        page = client.get("/docs")

        told = page.content.decode()
        assert page.status_code == 200
        assert not re.search(r"<script(?![^>]*\bsrc=)", told)
        assert not re.search(r"""(src|href)=["']https?://""", told)
        assert "script-src" in page.headers["Content-Security-Policy"] or (
            "default-src 'self'" in page.headers["Content-Security-Policy"]
        )

    def test_files_they_name_are_served(self, client):
        files = re.findall(
            r"""(?:src|href)=["'](/static/[^"']+)""", client.get("/docs").content.decode()
        )

        assert files
        for file in files:
            answer = client.get(file)
            assert answer.status_code == 200, file
            answer.close()

    async def test_files_are_served_under_asgi_as_well(self):
        answer = await AsyncClient().get(
            "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css"
        )

        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/css")
        assert len(answer.content) > 1000


def test_every_answer_says_that_this_is_the_emulator(client, settings):
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
    emulated = client.get("/health/live")
    settings.AWS_ENDPOINT_URL = ""
    real = client.get("/health/live")

    assert emulated.headers["X-Spot-Optimizer-AWS"] == "emulator"
    assert "X-Spot-Optimizer-AWS" not in real.headers


@pytest.mark.django_db(transaction=True)
async def test_who_waits_for_an_evaluation_holds_no_thread():
    from asgiref.sync import sync_to_async

    from accounts.testing import signed_in

    session = await sync_to_async(a_session)()
    header = (await sync_to_async(signed_in)(session.user))._credentials["HTTP_AUTHORIZATION"]

    async def ask():
        return await AsyncClient(headers={"Authorization": header}).post(
            f"/api/v1/sandbox/sessions/{session.pk}/evaluate",
            {},
            content_type="application/json",
            headers={"Authorization": header, "Prefer": "wait=2"},
        )

    await ask()
    before = threading.active_count()
    waiting = [asyncio.create_task(ask()) for _ in range(20)]
    await asyncio.sleep(1.2)
    during = threading.active_count()
    answers = await asyncio.gather(*waiting)

    assert {answer.status_code for answer in answers} == {202}
    assert during - before <= 8
