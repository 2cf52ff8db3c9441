import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings as project
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from sandbox.models import SandboxSession
from sandbox.testing import OPENED, a_silent_session
from sandbox.tests.websocket_client import close_code, publish_lines, seqs, watcher_at, watcher_of
from streaming.db_threads import in_thread
from streaming.models import Line, Stream
from streaming.publish import log, publish, session_ended, status
from streaming.tests.layers import with_layer

UNKNOWN_ID = "0f6a9f0e-6c1d-4d0e-9a57-3f1f2f1e8d11"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session(transactional_db):
    session = a_silent_session()
    publish(session.pk, log("SYSTEM", "one"), log("SYSTEM", "two"), log("SYSTEM", "three"))
    return session


def end(session):
    publish(session.pk, status("ended"), session_ended("expired"))
    _end_silently(session)


def _end_silently(session):
    SandboxSession.objects.filter(pk=session.pk).update(state="ended", ended_at=OPENED)


def cookie_of(user):
    store = SessionStore()
    store[SESSION_KEY] = str(user.pk)
    store[BACKEND_SESSION_KEY] = project.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.save()
    return (b"cookie", f"{project.SESSION_COOKIE_NAME}={store.session_key}".encode())


class TestWelcome:
    async def test_is_sent_first_with_the_last_seq(self, session):
        async with watcher_of(session.pk) as watcher:
            welcome = await watcher.receive_json_from()

        sent_at = datetime.fromisoformat(welcome.pop("timestamp"))
        assert abs(datetime.now(UTC) - sent_at) < timedelta(seconds=5)
        assert welcome == {
            "type": "welcome",
            "session_id": str(session.pk),
            "last_seq": 3,
            "expires_at": "2026-01-15T14:00:00Z",
        }

    async def test_of_a_silent_session_without_lines_counts_from_zero(self):
        session = await in_thread(a_silent_session)()
        async with watcher_of(session.pk) as watcher:
            assert (await watcher.receive_json_from())["last_seq"] == 0
            await publish_lines(session.pk, log("SYSTEM", "first"))

            assert await seqs(watcher, 1) == [1]


class TestLines:
    async def test_start_after_the_last_one(self, session):
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            await publish_lines(session.pk, log("FILTER", "four", stage="hardware"))

            line = await watcher.receive_json_from()

        del line["timestamp"]
        assert line == {
            "type": "log",
            "seq": 4,
            "log_type": "FILTER",
            "stage": "hardware",
            "message": "four",
            "level": "INFO",
        }

    @pytest.mark.parametrize(
        ("after", "start"), [("0", 1), ("2", 3), ("3", 4), ("007", 4), ("9", 4), ("9" * 5000, 4)]
    )
    async def test_start_after_the_given_one(self, session, after, start):
        async with watcher_of(session.pk, f"after={after}") as watcher:
            await watcher.receive_json_from()
            await publish_lines(session.pk, log("SYSTEM", "four"))

            assert await seqs(watcher, 5 - start) == list(range(start, 5))
            assert await watcher.receive_nothing()

    async def test_five_thousand_are_replayed_in_order(self, session):
        lines = [log("SYSTEM", str(n)) for n in range(4997)]
        await publish_lines(session.pk, *lines)
        async with watcher_of(session.pk, "after=0") as watcher:
            await watcher.receive_json_from()

            assert await seqs(watcher, 5000) == list(range(1, 5001))

    async def test_are_replayed_at_once_while_others_are_watched(self, session):
        other = await in_thread(a_silent_session)()
        async with watcher_of(other.pk) as watcher:
            await watcher.receive_json_from()
            await asyncio.sleep(0.2)  # now its reader waits
            async with watcher_of(session.pk, "after=0") as late:
                await late.receive_json_from()

                assert await seqs(late, 3, timeout=0.4) == [1, 2, 3]

    async def test_lines_without_a_notification_arrive_within_a_second(self, session, settings):
        settings.CHANNEL_LAYERS = with_layer("SilentLayer")
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            await asyncio.sleep(0.1)  # the first queries are over
            await publish_lines(session.pk, log("SYSTEM", "four"))

            assert await seqs(watcher, 1, timeout=1) == [4]

    async def test_a_notification_is_faster_than_polling(self, session):
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            await asyncio.sleep(0.1)
            for seq in range(4, 14):
                await publish_lines(session.pk, log("SYSTEM", "now"))

                assert await seqs(watcher, 1, timeout=0.3) == [seq]

    async def test_of_another_session_are_not_sent(self, session):
        other = await in_thread(a_silent_session)()
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            await publish_lines(other.pk, log("SYSTEM", "not yours"))
            await publish_lines(session.pk, log("SYSTEM", "yours"))

            assert (await watcher.receive_json_from())["message"] == "yours"

    async def test_arrive_without_the_channel_layer(self, session, settings):
        settings.CHANNEL_LAYERS = {
            "default": {
                "BACKEND": "channels_redis.core.RedisChannelLayer",
                "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
            }
        }
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            await in_thread(_append_without_publish)(session.pk, 4)

            assert await seqs(watcher, 1, timeout=1.2) == [4]


def _append_without_publish(stream_id, seq):
    Stream.objects.filter(pk=stream_id).update(last_seq=seq)
    Line.objects.create(stream_id=stream_id, seq=seq, type="status", body={"state": "ending"})


class TestRefusals:
    @pytest.mark.parametrize("name", ["nonsense", "0", UNKNOWN_ID, "%7B", "٣", "a%00b"])
    async def test_an_unknown_session(self, name):
        async with watcher_of(name) as watcher:
            error = await watcher.receive_json_from()

            assert (error["type"], error["code"]) == ("error", "not_found")
            assert await close_code(watcher) == 4404

    @pytest.mark.parametrize(
        "path",
        ["/", "/api/v1/ws", "/api/v1/ws/sandbox/", f"/api/v1/ws/sandbox/{UNKNOWN_ID}/x", "/%0A"],
    )
    async def test_an_unknown_address(self, path):
        async with watcher_at(path) as watcher:
            assert (await watcher.receive_json_from())["code"] == "not_found"
            assert await close_code(watcher) == 4404

    @pytest.mark.parametrize(
        "query",
        [
            "after=",
            "after=-1",
            "after=x",
            "after=1.0",
            "after=%D9%A3",
            "after=1&after=2",
            "after=+1",
        ],
    )
    async def test_an_after_that_is_not_a_number(self, session, query):
        async with watcher_of(session.pk, query) as watcher:
            error = await watcher.receive_json_from()

            assert (error["type"], error["code"]) == ("error", "invalid")
            assert await close_code(watcher) == 4400


class TestTickets:
    @pytest.fixture(autouse=True)
    def _required(self, settings):
        settings.STREAM_REQUIRE_TICKET = True

    async def test_the_right_one_is_accepted(self, session):
        async with watcher_of(session.pk, f"ticket={session.stream_ticket}") as watcher:
            assert (await watcher.receive_json_from())["type"] == "welcome"

    @pytest.mark.parametrize("query", ["", "ticket=", "ticket=wrong", "ticket=%F0%9F%8E%AB"])
    async def test_a_missing_or_wrong_one_is_rejected(self, session, query):
        async with watcher_of(session.pk, query) as watcher:
            error = await watcher.receive_json_from()

            assert (error["type"], error["code"]) == ("error", "ticket_required")
            assert await close_code(watcher) == 4403

    async def test_another_sessions_ticket_is_rejected(self, session):
        other = await in_thread(a_silent_session)()
        async with watcher_of(session.pk, f"ticket={other.stream_ticket}") as watcher:
            await watcher.receive_json_from()
            assert await close_code(watcher) == 4403

    async def test_the_owner_needs_none(self, session):
        cookie = await in_thread(cookie_of)(session.user)
        async with watcher_of(session.pk, headers=[cookie]) as watcher:
            assert (await watcher.receive_json_from())["type"] == "welcome"

    async def test_another_user_is_not_the_owner(self, session):
        other = await in_thread(a_silent_session)(user=None)
        cookie = await in_thread(cookie_of)(other.user)
        async with watcher_of(session.pk, headers=[cookie]) as watcher:
            await watcher.receive_json_from()
            assert await close_code(watcher) == 4403


class TestOrigins:
    HOST = (b"host", b"localhost:8000")

    @pytest.mark.parametrize(
        "origin", [None, b"http://localhost:8000", b"http://LOCALHOST:8000", b"https://our.example"]
    )
    async def test_own_and_configured_ones_are_accepted(self, session, settings, origin):
        settings.CORS_ALLOWED_ORIGINS = ["https://our.example"]
        headers = [self.HOST] + ([(b"origin", origin)] if origin else [])
        async with watcher_of(session.pk, headers=headers) as watcher:
            assert (await watcher.receive_json_from())["type"] == "welcome"

    @pytest.mark.parametrize(
        "origin",
        [b"http://evil.example", b"http://localhost:9000", b"null", b"", b"file://localhost:8000"],
    )
    async def test_foreign_ones_are_rejected(self, session, origin):
        async with watcher_of(session.pk, headers=[self.HOST, (b"origin", origin)]) as watcher:
            error = await watcher.receive_json_from()

            assert (error["type"], error["code"]) == ("error", "foreign_origin")
            assert await close_code(watcher) == 4403

    async def test_a_foreign_name_with_our_address_is_rejected(self, session):
        headers = [(b"host", b"evil.example"), (b"origin", b"http://evil.example")]
        async with watcher_of(session.pk, headers=headers) as watcher:
            await watcher.receive_json_from()
            assert await close_code(watcher) == 4403


class TestTheEnd:
    async def test_is_sent_and_closes(self, session):
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            await in_thread(end)(session)

            assert await seqs(watcher, 2) == [4, 5]
            assert await close_code(watcher) == 4410

    async def test_is_sent_to_a_late_client(self, session):
        await in_thread(end)(session)
        async with watcher_of(session.pk) as watcher:
            assert (await watcher.receive_json_from())["type"] == "welcome"
            assert (await watcher.receive_json_from())["type"] == "session_ended"
            assert await close_code(watcher) == 4410

    async def test_leaves_the_whole_stream_for_replay(self, session):
        await in_thread(end)(session)
        async with watcher_of(session.pk, "after=1") as watcher:
            await watcher.receive_json_from()
            assert await seqs(watcher, 4) == [2, 3, 4, 5]
            assert await close_code(watcher) == 4410

    async def test_closes_without_a_disconnect_message(self, session):
        await in_thread(_end_silently)(session)
        async with watcher_of(session.pk, "after=0") as watcher:
            await watcher.receive_json_from()
            assert await seqs(watcher, 3) == [1, 2, 3]
            assert await close_code(watcher) == 4410

    @pytest.mark.parametrize("after", ["5", "77"])
    async def test_closes_at_once_for_a_client_that_has_seen_it(self, session, after):
        await in_thread(end)(session)
        async with watcher_of(session.pk, f"after={after}") as watcher:
            assert (await watcher.receive_json_from())["last_seq"] == 5
            assert await close_code(watcher) == 4410


class TestWhatAClientSends:
    @pytest.mark.parametrize("ping", ["ping", '{"type":"ping"}', ' { "type" : "ping" }\n'])
    async def test_a_ping_gets_a_pong(self, session, ping):
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            await watcher.send_to(text_data=ping)

            pong = await watcher.receive_json_from()

        assert set(pong) == {"type", "timestamp"}
        assert pong["type"] == "pong"

    @pytest.mark.parametrize(
        "garbage",
        [
            "hello",
            "{",
            "[" * 60_000,
            '{"type":"connect"}',
            '{"type":"websocket.disconnect"}',
            b"ping",
        ],
        ids=lambda text: repr(text[:20]),
    )
    async def test_anything_else_gets_an_error_and_the_stream_goes_on(self, session, garbage):
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            if isinstance(garbage, bytes):
                await watcher.send_to(bytes_data=garbage)
            else:
                await watcher.send_to(text_data=garbage)

            error = await watcher.receive_json_from()
            assert (error["type"], error["code"]) == ("error", "not_understood")
            await publish_lines(session.pk, log("SYSTEM", "four"))
            assert await seqs(watcher, 1) == [4]

    async def test_a_flood_does_not_interrupt_the_stream(self, session):
        async with watcher_of(session.pk) as watcher:
            await watcher.receive_json_from()
            for _ in range(2000):
                await watcher.send_to(text_data="\x00garbage")
            await publish_lines(session.pk, log("SYSTEM", "four"))

            frames = [await watcher.receive_json_from(timeout=10) for _ in range(2001)]

        assert [frame["seq"] for frame in frames if "seq" in frame] == [4]
