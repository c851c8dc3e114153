"""The end of a server: what becomes of the calls that run, and how long it takes."""

from __future__ import annotations

import http.client
import json
import signal
import time

import pytest
from support.http import Answer, read_events, refused
from support.process import PATIENCE, Connection, finish, serving, wait_for


def begin_calls(url: str, state_id: str) -> tuple[Connection, http.client.HTTPResponse, Connection]:
    """A stream of 600 tokens, whose first has come, and a call beside it that takes much longer."""
    streaming, slow = Connection(url), Connection(url)
    body = {"state_id": state_id, "max_tokens": 600, "ignore_eos": True, "stream": True}
    streaming.begin("POST", "/v1/generate/token", body)
    stream = streaming.answer()
    assert stream.readline().startswith(b"data: ")
    slow.begin("POST", "/v1/generate/multi", {"state_id": state_id, "n": 60, "max_tokens": 900, "ignore_eos": True})
    return streaming, stream, slow


def test_new_calls_are_refused_while_the_last_ones_end() -> None:
    with serving() as (process, url):
        kept = Connection(url)
        state_id = kept.ask("POST", "/v1/states", {"prompt": "A fox"}).json()["state_id"]
        streaming, stream, slow = begin_calls(url, state_id)
        wait_for(kept, "/metrics", lambda answer: b"genlib_calls_running 2.0" in answer.body)
        kept.stay()
        process.send_signal(signal.SIGTERM)
        refused(wait_for(kept, "/ready", lambda answer: answer.status != 200), 503, "draining")
        fresh = Connection(url)
        for connection in (kept, fresh):
            for path in ("/v1/generate/token", "/v1/generate/multi", "/v1/generate/beam"):
                answer = connection.ask("POST", path, {"state_id": state_id})
                refused(answer, 503, "draining")
                assert answer.headers["retry-after"] == "1"
            assert connection.ask("GET", "/health").status == 200
            assert connection.ask("GET", f"/v1/states/{state_id}").json()["text"] == "A fox"
        assert process.poll() is None
        slow.close()  # which cancels its call
        rest = stream.read()
        assert rest.endswith(b"data: [DONE]\n\n")
        assert rest.count(b"data: ") == 601
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, "", "")
        for connection in (kept, fresh, streaming):
            connection.close()


def test_calls_that_take_too_long_are_cancelled() -> None:
    with serving("--drain-timeout", "1", "--log-level", "critical") as (process, url):
        kept = Connection(url)
        state_id = kept.ask("POST", "/v1/states", {"prompt": "A fox"}).json()["state_id"]
        kept.begin("POST", "/v1/generate/multi", {"state_id": state_id, "n": 60, "max_tokens": 900, "ignore_eos": True})
        other = Connection(url)
        wait_for(other, "/metrics", lambda answer: b"genlib_calls_running 1.0" in answer.body)
        assert finish(process, signal.SIGTERM) == (0, "", "")
        for connection in (kept, other):
            connection.close()


def test_what_is_left_at_the_end_of_a_drain_is_told() -> None:
    """A call has the documented error, a stream an event of it; nothing is logged."""
    with serving("--drain-timeout", "1") as (process, url):
        kept = Connection(url)
        state_id = kept.ask("POST", "/v1/states", {"prompt": "A fox"}).json()["state_id"]
        slow, streaming = Connection(url), Connection(url)
        slow.begin("POST", "/v1/generate/multi", {"state_id": state_id, "n": 60, "max_tokens": 900, "ignore_eos": True})
        body = {"state_id": state_id, "max_tokens": 1000, "ignore_eos": True, "stream": True}
        streaming.begin("POST", "/v1/generate/token", body)
        stream = streaming.answer()
        assert stream.readline().startswith(b"data: ")
        process.send_signal(signal.SIGTERM)
        response = slow.answer()
        error = refused(Answer(response.status, {"content-type": "application/json"}, response.read()), 503, "draining")
        assert "state is unchanged" in error["message"]
        events, _ = read_events(stream.read().decode().partition("\n\n")[2])
        if [event.name for event in events[-2:]] != ["message", "message"]:  # it may have ended in time
            assert [event.name for event in events[-2:]] == ["error", "message"]
            assert json.loads(events[-2].data)["error"]["code"] == "draining"
        assert events[-1].data == "[DONE]"
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, "", "")
        for connection in (kept, slow, streaming):
            connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_does_not_wait(number: signal.Signals) -> None:
    with serving() as (process, url):
        kept, slow = Connection(url), Connection(url)
        state_id = kept.ask("POST", "/v1/states", {"prompt": "A fox"}).json()["state_id"]
        slow.begin("POST", "/v1/generate/multi", {"state_id": state_id, "n": 60, "max_tokens": 900, "ignore_eos": True})
        wait_for(kept, "/metrics", lambda answer: b"genlib_calls_running 1.0" in answer.body)
        process.send_signal(number)
        refused(wait_for(kept, "/ready", lambda answer: answer.status != 200), 503, "draining")
        began = time.monotonic()
        assert finish(process, number) == (0, "", "")
        assert time.monotonic() - began < 5
        assert slow.answer().status == 503
        for connection in (kept, slow):
            connection.close()


def test_a_half_sent_body_does_not_delay_the_end() -> None:
    with serving() as (process, url):
        half = Connection(url)
        half._http.putrequest("POST", "/v1/states")
        half._http.putheader("Content-Length", "100")
        half._http.endheaders(b'{"prompt": ')
        time.sleep(0.5)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        response = half.answer()
        headers = {name.lower(): value for name, value in response.getheaders()}
        refused(Answer(response.status, headers, response.read()), 503, "draining")
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (0, "", "")
        assert time.monotonic() - began < 5
        half.close()
