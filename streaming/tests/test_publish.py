import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.db import connection, transaction

from streaming import publish as publishing
from streaming.models import Line, Stream
from streaming.publish import decision, log, progress, publish, session_ended, status
from streaming.queries import page_after


def redis_at(port):
    backend = "channels_redis.core.RedisChannelLayer"
    return {"default": {"BACKEND": backend, "CONFIG": {"hosts": [f"redis://127.0.0.1:{port}/0"]}}}


def seqs(stream_id):
    return list(Line.objects.filter(stream=stream_id).values_list("seq", flat=True))


@pytest.mark.django_db
class TestPublish:
    def test_numbers_the_lines_of_each_stream_from_one(self):
        one, other = uuid4(), uuid4()

        publish(one, log("SYSTEM", "a"), log("SYSTEM", "b"))
        publish(other, log("SYSTEM", "x"))
        publish(one, log("SYSTEM", "c"))

        assert seqs(one) == [1, 2, 3]
        assert seqs(other) == [1]
        assert Stream.objects.get(pk=one).last_seq == 3

    def test_publishing_no_lines_creates_no_stream(self):
        publish(uuid4())

        assert not Stream.objects.exists()

    def test_notifies_once_for_all_lines_of_a_call(self, django_capture_on_commit_callbacks):
        with django_capture_on_commit_callbacks() as notifications:
            publish(uuid4(), log("SYSTEM", "a"), log("SYSTEM", "b"), log("SYSTEM", "c"))

        assert len(notifications) == 1


@pytest.mark.django_db(transaction=True)
class TestPublishWithCommits:
    def test_a_rollback_leaves_no_line_and_no_gap(self):
        stream_id = uuid4()
        publish(stream_id, log("SYSTEM", "a"))

        with transaction.atomic():
            publish(stream_id, log("SYSTEM", "never"))
            transaction.set_rollback(True)
        publish(stream_id, log("SYSTEM", "b"))

        messages = [frame["message"] for frame in page_after(stream_id, 0, 10).frames]
        assert messages == ["a", "b"]
        assert seqs(stream_id) == [1, 2]

    def test_concurrent_threads_leave_no_gap(self):
        stream_id = uuid4()

        def fifty(worker):
            try:
                for n in range(50):
                    publish(stream_id, log("SYSTEM", f"{worker}/{n}"))
            finally:
                connection.close()

        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(fifty, range(8)))

        assert seqs(stream_id) == list(range(1, 401))

    def test_each_line_of_a_transaction_has_its_own_time(self):
        stream_id = uuid4()

        with transaction.atomic():
            publish(stream_id, log("SYSTEM", "before"))
            time.sleep(0.02)
            publish(stream_id, log("SYSTEM", "after"))

        before, after = Line.objects.filter(stream=stream_id)
        assert after.at - before.at >= timedelta(seconds=0.015)
        assert abs(datetime.now(UTC) - after.at) < timedelta(seconds=5)

    def test_commits_soon_with_a_channel_layer_that_never_answers(self, settings, monkeypatch):
        monkeypatch.setattr(publishing, "_retry_at", 0.0)
        stream_id = uuid4()

        with socket.create_server(("127.0.0.1", 0)) as silent:
            settings.CHANNEL_LAYERS = redis_at(silent.getsockname()[1])
            started = time.monotonic()
            for n in range(20):
                publish(stream_id, log("SYSTEM", str(n)))
            took = time.monotonic() - started

        assert seqs(stream_id) == list(range(1, 21))
        assert took < 1.5  # the first times out, the others do not try

    def test_commits_with_an_unavailable_channel_layer(self, settings, monkeypatch):
        monkeypatch.setattr(publishing, "_retry_at", 0.0)
        settings.CHANNEL_LAYERS = redis_at(1)
        stream_id = uuid4()

        publish(stream_id, log("SYSTEM", "a"))

        assert seqs(stream_id) == [1]

    def test_a_failing_notification_does_not_fail_the_caller(self, monkeypatch):
        def fail(stream_id, seq):
            raise RuntimeError

        monkeypatch.setattr(publishing, "_notify", fail)
        stream_id = uuid4()

        publish(stream_id, log("SYSTEM", "a"))

        assert seqs(stream_id) == [1]

    def test_notifies_again_some_seconds_after_a_failure(self, monkeypatch):
        sent, now = [], [1000.0]

        async def fail_once(stream_id, seq):
            sent.append(seq)
            if len(sent) == 1:
                raise OSError

        monkeypatch.setattr(publishing, "_send_notification", fail_once)
        monkeypatch.setattr(publishing, "_retry_at", 0.0)
        monkeypatch.setattr(publishing, "time", SimpleNamespace(monotonic=lambda: now[0]))
        stream_id = uuid4()

        for seconds in (0, publishing.RETRY_AFTER - 1, 2, 0):
            now[0] += seconds
            publish(stream_id, log("SYSTEM", "a"))

        assert sent == [1, 3, 4]


class TestBuilders:
    @pytest.mark.parametrize("log_type", ["system", "", "NEWS"])
    def test_a_log_type_outside_the_contract_is_refused(self, log_type):
        with pytest.raises(ValueError, match="log_type"):
            log(log_type, "hello")

    @pytest.mark.parametrize("level", ["info", "CRITICAL", ""])
    def test_a_level_outside_the_contract_is_refused(self, level):
        with pytest.raises(ValueError, match="level"):
            log("SYSTEM", "hello", level=level)

    def test_a_number_that_is_not_json_is_refused(self):
        with pytest.raises(ValueError, match="JSON"):
            decision({"crash_probability": float("nan")})


@pytest.mark.django_db
def test_every_kind_of_line_has_the_frame_of_the_contract():
    stream_id, switch_id = uuid4(), uuid4()
    publish(
        stream_id,
        log("FILTER", "12 pools kept", level="DEBUG", stage="hardware"),
        log("SYSTEM", "hello"),
        decision({"decision": "STAY"}),
        progress(switch_id, "launch", 40),
        status("ending"),
        session_ended("expired"),
    )
    Line.objects.update(at=datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC))
    common = {"timestamp": "2026-01-02T03:04:05.678000Z"}

    frames = page_after(stream_id, 0, 10).frames

    text = {"log_type": "FILTER", "message": "12 pools kept", "level": "DEBUG", "stage": "hardware"}
    assert json.loads(json.dumps(frames)) == [
        {"type": "log", "seq": 1, **common, **text},
        {
            "type": "log",
            "seq": 2,
            **common,
            "log_type": "SYSTEM",
            "message": "hello",
            "level": "INFO",
        },
        {"type": "decision", "seq": 3, **common, "evaluation": {"decision": "STAY"}},
        {
            "type": "progress",
            "seq": 4,
            **common,
            "switch_id": str(switch_id),
            "step": "launch",
            "percent": 40,
        },
        {"type": "status", "seq": 5, **common, "state": "ending"},
        {"type": "session_ended", "seq": 6, **common, "reason": "expired"},
    ]
