"""The routes of the shim: what they answer, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Mount
from support.http import GENERATE, MORE, TOKEN, Client, refused
from support.server import FakeEngine, FakeState, clients, engines, states

from genlib.server import create_app

engine, client, state = map(pytest.fixture, (engines, clients, states))


def test_the_three_bodies_of_the_specification(client: Client, state: FakeState) -> None:
    stops = ["\n", "."]
    one = client.post(
        "/v1/generate/token",
        {"state_id": state.id, "max_tokens": 5, "temperature": 0.8, "top_p": 0.95, "seed": 7,
         "stop_sequences": stops, "stream": False},
    )  # fmt: skip
    assert one.status == 200
    assert set(one.json()) == {"state_id", *TOKEN, *MORE}
    assert one.json()["text"] == "".join(one.json()["new_tokens"]) == "ab é\n"
    assert (one.json()["seed"], one.json()["finish_reason"]) == (7, None)
    many = client.post(
        "/v1/generate/multi", {"state_id": state.id, "n": 3, "max_tokens": 10, "temperature": 0.7}
    ).json()
    assert set(many) == {"state_id", "continuations", "seed"}
    assert [set(one) for one in many["continuations"]] == [TOKEN | MORE] * 3
    beams = client.post(
        "/v1/generate/beam",
        {"state_id": state.id, "num_beams": 5, "max_length": 20, "early_stopping": True},
    ).json()
    assert set(beams) == {"state_id", "beams", "scores", "token_ids", "finished"}
    assert [len(beams[key]) for key in ("beams", "scores", "token_ids", "finished")] == [5] * 4
    assert all(isinstance(text, str) for text in beams["beams"])


def test_the_life_of_a_state(client: Client, engine: FakeEngine) -> None:
    made = client.post("/v1/states", {"prompt": "fox", "stop_sequences": ["."]})
    assert made.status == 201
    assert set(made.json()) == {"state_id", "num_tokens", "text", "finished", "created_at"}
    path = f"/v1/states/{made.json()['state_id']}"
    assert client.get(path).json() == made.json()
    assert engine.states()[0].stop_sequences == (".",)
    branch = client.post(f"{path}/fork")
    assert branch.status == 201
    assert branch.json()["state_id"] != made.json()["state_id"]
    assert client.post(f"{path}/append", {"text": " ran"}).json()["text"] == "fox ran"
    assert client.post(f"{path}/truncate", {"num_tokens": 2}).json()["text"] == "fo"
    assert client.get(f"/v1/states/{branch.json()['state_id']}").json()["text"] == "fox"
    score = client.post(f"{path}/score", {"text": "xy"}).json()
    assert score == {"state_id": made.json()["state_id"], "token_ids": [120, 121], "logprobs": [-0.5, -0.5],
                     "total": -1.0, "mean": -0.5, "tokens": ["x", "y"], "is_greedy": False}  # fmt: skip
    gone = client.send("DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    refused(client.get(path), 404, "state_not_found", "state_id")
    assert client.post("/v1/states", {"tokens": [97, 98]}).json()["text"] == "ab"


def test_states_are_listed_in_pages(client: Client, engine: FakeEngine) -> None:
    ids = sorted(engine.create_state("x").id for _ in range(5))
    first = client.get("/v1/states", query="limit=2").json()
    assert set(first["states"][0]) == {"state_id", "num_tokens", "finished", "created_at"}
    assert ([one["state_id"] for one in first["states"]], first["has_more"]) == (ids[:2], True)
    rest = client.get("/v1/states", query=f"after={ids[1]}").json()
    assert ([one["state_id"] for one in rest["states"]], rest["has_more"]) == (ids[2:], False)
    for query in ("limit=0", "limit=1001", "limit=two", "limit=-1", "limit=", "limit=1.0"):
        refused(client.get("/v1/states", query=query), 400, "invalid_parameter", "limit")
    refused(client.get("/v1/states", query="page=2"), 400, "unknown_field", "page")
    refused(client.get("/v1/states", query="limit=2&limit=3"), 400, "unknown_field", "limit")


def test_kept_states_are_named(client: Client, engine: FakeEngine, state: FakeState) -> None:
    many = client.post("/v1/generate/multi", {"state_id": state.id, "n": 3, "keep_states": True}).json()
    beams = client.post("/v1/generate/beam", {"state_id": state.id, "num_return": 2, "keep_states": True}).json()
    kept = [*many["state_ids"], *beams["state_ids"]]
    assert len(set(kept)) == 5
    assert set(engine.open) == {state.id, *kept}


@pytest.mark.parametrize("seed", [2**53 + 1, 2**64 - 1])
def test_a_seed_survives(client: Client, state: FakeState, seed: int) -> None:
    for path in GENERATE[:2]:
        assert client.post(path, {"state_id": state.id, "seed": seed}).json()["seed"] == seed


def test_health_readiness_and_the_engines_age(engine: FakeEngine) -> None:
    client = Client(create_app(engine, stall_after=5))
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready", "last_step_age": 0.0}
    engine.step_age = 5.5
    refused(client.get("/ready"), 503, "stalled")
    assert client.get("/health").status == 200
    client.close()


def test_metrics_are_prometheus_without_ids(client: Client, state: FakeState) -> None:
    client.post("/v1/generate/token", {"state_id": state.id})
    client.post("/v1/generate/token", {"state_id": state.id, "stream": True})
    client.get(f"/v1/states/{state.id}")
    client.get("/nowhere")
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert state.id not in answer.body.decode()
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }
    assert samples[("genlib_states",)] == 1
    assert samples[("genlib_generated_tokens_total",)] == 12
    assert samples[("genlib_pages_free",)] == 90
    assert samples[("genlib_time_to_first_token_seconds_count",)] == 1
    assert samples[("genlib_info", ("fingerprint", "f1ngerpr1nt"), ("model", "fake"))] == 1

    def served(route: str, method: str, status: str) -> float:
        labels = (("method", method), ("route", route), ("status", status))
        return samples[("genlib_http_requests_total", *labels)]

    assert served("/v1/generate/token", "POST", "200") == 2
    assert served("/v1/states/{state_id}", "GET", "200") == 1
    assert served("other", "other", "404") == 1


def test_the_description_names_every_route_and_resolves(client: Client, engine: FakeEngine) -> None:
    description = client.get("/openapi.json").json()
    listed = {(route["method"], route["path"]) for route in client.get("/").json()["routes"]}
    paths = {(m.upper(), path) for path, methods in description["paths"].items() for m in methods}
    assert paths == listed
    assert {("POST", path) for path in GENERATE} <= listed
    token = description["components"]["schemas"]["TokenBody"]
    assert token["required"] == []
    assert token["additionalProperties"] is False
    assert token["properties"]["max_tokens"]["minimum"] == 1
    assert token["properties"]["max_tokens"]["default"] == 16
    assert token["properties"]["max_tokens"]["maximum"] == engine.context_length
    assert token["properties"]["allowed_tokens"]["items"]["maximum"] == engine.vocab_size - 1
    for methods in description["paths"].values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                assert "content" in response or status == "204"
                assert ("Retry-After" in response.get("headers", {})) == (status in ("429", "503"))

    def references(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "$ref":
                    yield value
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    for reference in set(references(description)):
        node = description
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_the_page_at_the_root_names_the_model(client: Client) -> None:
    page = client.get("/").json()
    assert (page["model"], page["fingerprint"], page["context_length"]) == ("fake", "f1ngerpr1nt", 64)


def test_two_apps_in_one_process_and_one_under_a_prefix(engine: FakeEngine, state: FakeState) -> None:
    outer = Starlette(routes=[Mount("/a", create_app(engine)), Mount("/b/c", create_app(FakeEngine()))])
    client = Client(outer)
    assert client.get(f"/a/v1/states/{state.id}").json()["text"] == "fox"
    refused(client.get(f"/b/c/v1/states/{state.id}"), 404, "state_not_found", "state_id")
    assert client.post("/a/v1/generate/token", {"state_id": state.id}).status == 200
    assert client.get("/b/c/").json()["name"] == "genlib"
    refused(client.get("/a/nowhere"), 404, "not_found")
    client.close()
