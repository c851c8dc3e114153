"""Who is taken for whom, where callers share the queue."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest
from starlette.requests import Request
from support.http import refused
from support.process import Connection, serving, wait_for

from genlib.server.connection import caller_of

FORWARDED = {"X-Forwarded-For": "192.0.2.1"}


@contextmanager
def full_queue(*options: str) -> Iterator[tuple[str, str]]:
    """A server's URL and a state of it: a call of this address runs, another waits, and no more may."""
    with serving("--max-batch", "1", "--max-queue", "1", *options) as (_, url), ExitStack() as stack:
        asking, running, waiting = (stack.enter_context(closing(Connection(url))) for _ in range(3))
        first, second, third = (
            asking.ask("POST", "/v1/states", {"prompt": "A fox"}).json()["state_id"] for _ in range(3)
        )
        many = {"state_id": first, "n": 100, "max_tokens": 900, "ignore_eos": True}
        running.begin("POST", "/v1/generate/multi", many)
        wait_for(asking, "/metrics", lambda answer: b"genlib_calls_running 1.0" in answer.body)
        waiting.begin("POST", "/v1/generate/token", {"state_id": second})
        wait_for(asking, "/metrics", lambda answer: b"genlib_calls_waiting 1.0" in answer.body)
        refused(asking.ask("POST", "/v1/generate/token", {"state_id": third}), 429, "queue_full")
        yield url, third


def test_another_address_has_a_place_of_its_own() -> None:
    with full_queue() as (url, state_id), closing(Connection(url)) as asking:
        with closing(Connection(url, source="127.0.0.2")) as other:
            other.begin("POST", "/v1/generate/token", {"state_id": state_id})
            wait_for(asking, "/metrics", lambda answer: b"genlib_calls_waiting 2.0" in answer.body)
        wait_for(asking, "/metrics", lambda answer: b"genlib_calls_waiting 1.0" in answer.body)


def test_nobody_is_believed_to_forward() -> None:
    with full_queue() as (url, state_id), closing(Connection(url, headers=FORWARDED)) as posing:
        refused(posing.ask("POST", "/v1/generate/token", {"state_id": state_id}), 429, "queue_full")


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.0/8, 127.0.0.1"])
def test_a_proxy_that_is_named_is_believed(address: str) -> None:
    with (
        full_queue("--forwarded-allow-ips", address) as (url, state_id),
        closing(Connection(url)) as asking,
        closing(Connection(url, headers=FORWARDED)) as forwarded,
    ):
        forwarded.begin("POST", "/v1/generate/token", {"state_id": state_id})
        wait_for(asking, "/metrics", lambda answer: b"genlib_calls_waiting 2.0" in answer.body)


@pytest.mark.parametrize(
    ("host", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("testclient", "testclient"),
        (None, ""),
    ],
)
def test_a_network_of_ipv6_is_one_caller(host: str | None, caller: str) -> None:
    scope = {"type": "http", "headers": [], "client": None if host is None else (host, 1)}
    assert caller_of(Request(scope)) == caller
