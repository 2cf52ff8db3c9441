"""Admin and API documentation pages, and headers of every response."""

import asyncio
import re

import pytest
from asgiref.sync import sync_to_async
from django.contrib import admin
from django.test import AsyncClient
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from accounts.testing import a_user, an_admin, signed_in
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

        html = page.content.decode() + user.content.decode()
        assert session.instance_id in html
        for secret in (SECRET, sealed, session.stream_ticket, session.user.password):
            assert secret not in html

    def test_an_operator_edits_the_schedule(self, client):
        client.force_login(an_admin())
        job = PeriodicTask.objects.get(name="refresh_market")
        path = reverse("admin:django_celery_beat_periodictask_change", args=[job.pk])
        form = client.get(path).context["adminform"].form
        fields = {name: form[name].value() for name in form.fields}
        fields = {name: value for name, value in fields.items() if value not in (None, False)}

        answer = client.post(path, fields | {"description": "Slower now", "enabled": ""})

        job.refresh_from_db()
        assert answer.status_code == 302
        assert (job.description, job.enabled) == ("Slower now", False)

    @pytest.mark.parametrize("role", ["user", "lab"])
    def test_is_for_admins_only(self, client, role):
        client.force_login(a_user(role))

        assert client.get("/admin/").status_code == 302


class TestDocs:
    def test_need_no_inline_script_and_no_other_server(self, client):
        page = client.get("/docs")

        html = page.content.decode()
        assert page.status_code == 200
        assert not re.search(r"<script(?![^>]*\bsrc=)", html)
        assert not re.search(r"""(src|href)=["']https?://""", html)
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


def test_every_response_marks_the_emulator(client, settings):
    settings.AWS_ENDPOINT_URL = "http://127.0.0.1:1"
    emulated = client.get("/health/live")
    settings.AWS_ENDPOINT_URL = ""
    real = client.get("/health/live")

    assert emulated.headers["X-Spot-Optimizer-AWS"] == "emulator"
    assert "X-Spot-Optimizer-AWS" not in real.headers


@pytest.mark.django_db(transaction=True)
async def test_waiting_for_an_evaluation_does_not_block_other_requests():
    session = await sync_to_async(a_session)()
    client = await sync_to_async(signed_in)(session.user)
    headers = {"Authorization": client._credentials["HTTP_AUTHORIZATION"], "Prefer": "wait=3"}
    path = f"/api/v1/sandbox/sessions/{session.pk}/evaluate"

    async def request_page():
        client = AsyncClient()
        return await client.post(path, {}, content_type="application/json", headers=headers)

    waiting = [asyncio.create_task(request_page()) for _ in range(10)]
    await asyncio.sleep(1)
    answer = await AsyncClient().get("/health/live")
    settled_before_it = [each for each in waiting if each.done()]
    answers = await asyncio.gather(*waiting)

    assert answer.status_code == 200
    assert not settled_before_it
    assert {each.status_code for each in answers} == {202}
