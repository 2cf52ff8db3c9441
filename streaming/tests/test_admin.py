from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.test import Client

from streaming.models import Line, Stream
from streaming.publish import log, publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    client = Client()
    client.force_login(
        get_user_model().objects.create_superuser("admin@example.com", "admin", "a long password")
    )
    return client


@pytest.fixture
def line():
    publish(uuid4(), log("SYSTEM", "a message"))
    return Line.objects.get()


@pytest.mark.parametrize("model", ["stream", "line"])
def test_can_be_listed_and_searched(admin, line, model):
    answer = admin.get(f"/admin/streaming/{model}/", {"q": str(line.stream_id)})

    assert answer.status_code == 200
    assert str(line.stream_id) in answer.content.decode()


def test_a_line_cannot_be_changed(admin, line):
    answer = admin.post(f"/admin/streaming/line/{line.pk}/change/", {"body": "{}", "seq": 7})

    line.refresh_from_db()
    assert answer.status_code == 403
    assert (line.seq, line.body["message"]) == (1, "a message")


@pytest.mark.parametrize("model", ["stream", "line"])
def test_nothing_can_be_added_or_deleted(admin, line, model):
    pk = line.pk if model == "line" else line.stream_id

    answers = [
        admin.post(f"/admin/streaming/{model}/add/", {}),
        admin.post(f"/admin/streaming/{model}/{pk}/delete/", {"post": "yes"}),
        admin.post(
            f"/admin/streaming/{model}/", {"action": "delete_selected", "_selected_action": pk}
        ),
    ]

    assert [answer.status_code for answer in answers[:2]] == [403, 403]
    assert (Stream.objects.count(), Line.objects.count()) == (1, 1)
