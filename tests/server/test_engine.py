"""The shim over a real engine: its answers are those of the calls in Python, and who leaves commits nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.engine import FakeModel, check_pages_back, fake_engine
from support.http import GENERATE, Answer, Client, exchange, read_events, refused

import genlib
from genlib.server import create_app

PLAIN = {"max_tokens": 6, "temperature": 0.8, "seed": 7}


@pytest.fixture
def gate() -> threading.Semaphore:
    """Each step of the engine takes one."""
    return threading.Semaphore(10_000)


@pytest.fixture
def engine(gate: threading.Semaphore) -> Iterator[genlib.Engine]:
    with fake_engine(FakeModel(gate=gate)) as engine:
        yield engine
        gate.release(10_000)


@pytest.fixture
def client(engine: genlib.Engine) -> Iterator[Client]:
    client = Client(create_app(engine, keep_alive=0.05))
    yield client
    client.close()


def take_all(gate: threading.Semaphore) -> None:
    while gate.acquire(blocking=False):
        pass


def test_answers_are_those_of_the_calls_in_python(engine: genlib.Engine, client: Client) -> None:
    here, there = engine.create_state("A fox"), client.post("/v1/states", {"prompt": "A fox"}).json()["state_id"]
    one = client.post(GENERATE[0], {"state_id": there, **PLAIN}).json()
    expected = genlib.generate_token(here, **PLAIN)
    assert (one["text"], one["token_ids"]) == (expected.text, list(expected.token_ids))
    assert (one["probabilities"], one["logprobs"]) == (list(expected.probabilities), list(expected.logprobs))
    many = client.post(GENERATE[1], {"state_id": there, **PLAIN, "n": 3, "keep_states": True}).json()
    drawn = genlib.generate_multi(here, **PLAIN, n=3)
    assert [c["text"] for c in many["continuations"]] == [c.text for c in drawn.continuations]
    assert [engine.state(i).text for i in many["state_ids"]] == [here.text + c.text for c in drawn.continuations]
    beams = client.post(GENERATE[2], {"state_id": there, "num_beams": 3, "max_length": 5}).json()
    found = genlib.beam_search(here, num_beams=3, max_length=5)
    assert (beams["beams"], beams["scores"]) == (list(found.beams), list(found.scores))
    score = client.post(f"/v1/states/{there}/score", {"text": "ab"}).json()
    assert score["logprobs"] == list(here.score("ab").logprobs)
    scores = client.post(f"/v1/states/{there}/score", {"texts": ["ab", "c"]}).json()
    assert scores == {"state_id": there, "scores": [{k: v for k, v in score.items() if k != "state_id"},
                                                    scores["scores"][1]]}  # fmt: skip
    assert (scores["scores"][1]["tokens"], scores["scores"][1]["mean"]) == (["c"], here.score("c").total)
    assert client.get(f"/v1/states/{there}").json()["text"] == here.text


def test_a_stream_without_its_stop_sequence(engine: genlib.Engine, client: Client) -> None:
    state = engine.create_state("A fox")
    whole = genlib.generate_multi(state, **PLAIN).continuations[0].text
    body = {"state_id": state.id, **PLAIN, "stop_sequences": [whole[3:5]], "include_stop": False, "stream": True}
    events, _ = read_events(client.post(GENERATE[0], body).body.decode())
    *pieces, totals = [json.loads(event.data) for event in events[:-1]]
    assert "".join(piece["text"] for piece in pieces) == totals["text"] == whole[:3]
    assert (len(totals["token_ids"]), totals["stop_start"], totals["stop_sequence"]) == (5, 3, whole[3:5])
    assert state.text == "A fox" + whole[:5]


def test_no_max_tokens_fills_the_context(engine: genlib.Engine, client: Client) -> None:
    state = engine.create_state("A fox")
    answer = client.post(GENERATE[0], {"state_id": state.id, "max_tokens": None, "seed": 1}).json()
    assert (len(answer["token_ids"]), answer["finished"]) == (engine.context_length - 6, False)
    refused(
        client.post(GENERATE[0], {"state_id": state.id, "max_tokens": None}),
        400,
        "context_length_exceeded",
        "max_tokens",
    )


def test_a_stream_commits_when_it_ends(engine: genlib.Engine, client: Client) -> None:
    state = engine.create_state("A fox")
    plain = genlib.generate_token(state.fork(), **PLAIN)
    answer = client.post(GENERATE[0], {"state_id": state.id, **PLAIN, "stream": True})
    events, _ = read_events(answer.body.decode())
    *pieces, totals = [json.loads(event.data) for event in events[:-1]]
    assert "".join(piece["text"] for piece in pieces) == totals["text"] == plain.text
    assert state.text == "A fox" + plain.text


@pytest.mark.parametrize(
    ("path", "fields"),
    [(GENERATE[0], {}), (GENERATE[0], {"stream": True}), (GENERATE[1], {"n": 2, "keep_states": True}),
     (GENERATE[2], {"keep_states": True})],
)  # fmt: skip
def test_who_leaves_commits_nothing(
    engine: genlib.Engine, client: Client, gate: threading.Semaphore, path: str, fields: dict[str, Any]
) -> None:
    state = engine.create_state("A fox")
    before = state.tokens
    take_all(gate)

    async def leave() -> None:
        going, heard = asyncio.Event(), []
        body = json.dumps({"state_id": state.id, **fields}).encode()
        request = asyncio.create_task(exchange(client.app, "POST", path, body=body, leave=going, heard=heard))
        gate.release(3)
        while engine.stats().steps < 3 or (fields.get("stream") and len(heard) < 2):
            await asyncio.sleep(0.001)
        going.set()
        await asyncio.sleep(0.01)
        gate.release(10_000)  # the engine heeds a cancelled call between two steps
        await asyncio.wait_for(request, 5)

    client.run(leave())
    while engine.stats().running:
        pass
    assert state.tokens == before
    assert engine.states() == [state]
    assert genlib.generate_token(state, **PLAIN).text
    state.close()
    check_pages_back(engine)


def test_two_writers_and_a_full_queue() -> None:
    gate = threading.Semaphore(0)
    with fake_engine(FakeModel(gate=gate), max_batch=1, max_queue=1) as engine:
        client = Client(create_app(engine))
        one, two, three = (engine.create_state("A fox") for _ in range(3))

        def ask(state: genlib.State) -> Any:
            body = json.dumps({"state_id": state.id, "max_tokens": 2}).encode()
            return exchange(client.app, "POST", GENERATE[0], body=body)

        async def meet() -> list[Answer]:
            running = asyncio.create_task(ask(one))
            while not engine.stats().running:
                await asyncio.sleep(0.001)
            waiting = asyncio.create_task(ask(two))
            while not engine.stats().waiting:
                await asyncio.sleep(0.001)
            busy, full = await ask(one), await ask(three)
            gate.release(100)
            return [busy, full, await running, await waiting]

        busy, full, *served = client.run(meet())
        client.close()
        gate.release(100)
    refused(busy, 409, "state_busy")
    refused(full, 429, "queue_full")
    assert int(full.headers["retry-after"]) >= 1
    assert [answer.status for answer in served] == [200, 200]


def test_what_an_engine_refuses_has_its_status(engine: genlib.Engine, client: Client) -> None:
    state = engine.create_state("A fox")
    body = {"state_id": state.id}
    path = f"/v1/states/{state.id}"
    for route, fields, param in (
        (GENERATE[0], {"max_tokens": 10**30}, "max_tokens"),
        (GENERATE[1], {"max_tokens": 256}, "max_tokens"),
        (GENERATE[2], {"max_length": 256}, "max_length"),
    ):
        refused(client.post(route, {**body, **fields}), 400, "context_length_exceeded", param)
    refused(client.post(GENERATE[2], {**body, "num_beams": 65}), 400, "invalid_parameter", "num_beams")
    refused(client.post(f"{path}/append", {"text": "x" * 256}), 400, "context_length_exceeded", "text")
    refused(client.post(f"{path}/score", {"text": ""}), 400, "invalid_parameter", "text")
    refused(client.post(f"{path}/score", {"texts": ["a", ""]}), 400, "invalid_parameter", "texts[1]")
    refused(client.post(f"{path}/score", {"texts": []}), 400, "invalid_parameter", "texts")
    refused(client.post(f"{path}/score", {"texts": ["a"] * 1025}), 400, "invalid_parameter", "texts")
    refused(client.post(f"{path}/score", {"text": "a", "texts": ["a"]}), 400, "invalid_parameter", "text")
    refused(client.post(f"{path}/score", {}), 400, "invalid_parameter", "text")
    refused(client.post("/v1/states", {"tokens": [1, 260]}), 400, "invalid_parameter", "tokens[1]")
    refused(client.post("/v1/states", {"prompt": "x" * 256}), 400, "context_length_exceeded", "prompt")
    refused(client.post(GENERATE[1], {**body, "n": 1000, "keep_states": True}), 503, "out_of_capacity")
    assert state.text == "A fox"
    assert engine.states() == [state]


def test_a_closed_engine_is_unavailable(engine: genlib.Engine, client: Client) -> None:
    state = engine.create_state("A fox")
    engine.close()
    refused(client.post(GENERATE[0], {"state_id": state.id}), 503, "closed")
    refused(client.post(GENERATE[0], {"state_id": state.id, "stream": True}), 503, "closed")
    assert client.get("/health").status == 200


def test_figures_are_the_engines(engine: genlib.Engine, client: Client) -> None:
    client.post(GENERATE[0], {"state_id": engine.create_state("A fox").id, **PLAIN})
    families = text_string_to_metric_families(client.get("/metrics").body.decode())
    samples = {sample.name: sample.value for family in families for sample in family.samples}
    assert samples["genlib_generated_tokens_total"] == 6
    assert samples["genlib_states"] == 1
    assert client.get("/ready").status == 200


def test_a_mask_that_blocks_is_told_by_the_probes(engine: genlib.Engine) -> None:
    release = threading.Event()

    class Blocking:
        def fill(self, words: Any) -> None:
            release.wait(20)
            words[:] = -1

        def accept(self, token_id: int) -> None:
            """Nothing depends on it."""

        def fork(self) -> Blocking:
            return self

    client = Client(create_app(engine, stall_after=0.1))
    call = engine.submit(genlib.GenerateToken(engine.create_state("A fox"), max_tokens=1, token_mask=Blocking()))
    try:
        time.sleep(0.3)
        assert client.get("/health").status == 200
        refused(client.get("/ready"), 503, "stalled")
    finally:
        release.set()
    call.result()
    client.close()
