"""The most likely tokens: the model's own, whatever is drawn, in results, streams and over HTTP."""

from __future__ import annotations

import json

import numpy as np
import pytest
from support.http import GENERATE, Client, read_events
from support.model import all_logits

import genlib
from genlib.server import create_app

PROMPT = "Once upon a time there was a"


@pytest.fixture
def client(engine):
    client = Client(create_app(engine))
    yield client
    client.close()


def test_they_are_the_softmax_of_the_models_logits(engine):
    state = engine.create_state(PROMPT)
    result = genlib.generate_token(state, max_tokens=12, temperature=1.3, seed=4, top_logprobs=64)
    logits = all_logits(None, list(state.tokens))[-13:-1].astype(np.float64)
    assert len(result.top_logprobs) == len(result.new_tokens) == 12
    for row, tops, token, logprob in zip(logits, result.top_logprobs, result.token_ids, result.logprobs, strict=True):
        exact = row - row.max() - np.log(np.exp(row - row.max()).sum())
        order = np.argsort(-row, kind="stable")[:64]
        assert [top.token_id for top in tops] == order.tolist()
        assert np.allclose([top.logprob for top in tops], exact[order], rtol=1e-6, atol=2e-6)
        assert [top.token for top in tops] == [
            engine.tokenizer.token_bytes(top.token_id).decode("utf-8", "replace") for top in tops
        ]
        assert all(top.logprob == logprob for top in tops if top.token_id == token)


def test_the_first_is_the_greedy_token(engine):
    state = engine.create_state(PROMPT)
    result = genlib.generate_token(state, max_tokens=20, temperature=0, top_logprobs=1)
    assert [tops[0].token_id for tops in result.top_logprobs] == list(result.token_ids)
    assert [tops[0].logprob for tops in result.top_logprobs] == list(result.logprobs)


def test_more_of_them_change_nothing_else(engine):
    state = engine.create_state(PROMPT)
    plain, few, many = (
        genlib.generate_multi(state, n=3, max_tokens=9, seed=1, top_logprobs=n).continuations for n in (0, 2, 30)
    )
    assert all(c.top_logprobs == () for c in plain)
    for a, b, c in zip(plain, few, many, strict=True):
        assert a.token_ids == b.token_ids == c.token_ids
        assert tuple(tops[:2] for tops in c.top_logprobs) == b.top_logprobs


def test_an_end_of_text_has_none(engine):
    state = engine.create_state(PROMPT)
    result = genlib.generate_token(state, max_tokens=9, allowed_tokens=list(engine.eos_ids), top_logprobs=3)
    assert (result.finish_reason, result.new_tokens, result.top_logprobs) == ("end_of_text", (), ())


def test_pieces_have_their_own(engine):
    options = {"max_tokens": 8, "seed": 2, "top_logprobs": 3}
    whole = genlib.generate_token(engine.create_state(PROMPT), **options)
    pieces = list(genlib.generate_token(engine.create_state(PROMPT), stream=True, **options))
    assert tuple(piece.top_logprobs[0] for piece in pieces) == whole.top_logprobs
    request = genlib.GenerateToken(
        engine.create_state(PROMPT), max_tokens=8, sampling=genlib.Sampling(seed=2), top_logprobs=3
    )
    call = engine.submit(request, stream=True)
    pieces = iter(call)
    assert next(pieces).top_logprobs == whole.top_logprobs[:1]
    pieces.close()
    assert call.result().top_logprobs == whole.top_logprobs[:1]


def test_http_answers_what_python_does(engine, client):
    options = {
        "max_tokens": 5, "seed": 2, "top_logprobs": 2, "repetition_penalty": 1.5, "presence_penalty": 1,
        "frequency_penalty": 0.5, "allowed_tokens": list(range(2, 4096)),
    }  # fmt: skip
    python, http = {**options, "logit_bias": {300: 2.0}}, {**options, "logit_bias": {"300": 2}}
    state = engine.create_state(PROMPT)
    expected = genlib.generate_multi(state, n=2, **python).continuations
    many = client.post(GENERATE[1], {"state_id": state.id, "n": 2, **http}).json()["continuations"]
    stream = client.post(GENERATE[0], {"state_id": state.fork().id, "stream": True, **http})
    *pieces, total = [json.loads(event.data) for event in read_events(stream.body.decode())[0][:-1]]
    one = client.post(GENERATE[0], {"state_id": state.fork().id, **http}).json()
    for answer, result in zip([*many, one, total], [*expected, expected[0], expected[0]], strict=True):
        assert answer["token_ids"] == list(result.token_ids)
        tops = [[{"token": t.token, "token_id": t.token_id, "logprob": t.logprob} for t in tops]
                for tops in result.top_logprobs]  # fmt: skip
        assert answer["top_logprobs"] == tops
    assert [piece["top_logprobs"][0] for piece in pieces] == total["top_logprobs"]
    assert client.post(GENERATE[0], {"state_id": state.id, "max_tokens": 1}).json()["top_logprobs"] == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"logit_bias": {"4096": 1}}, "logit_bias[4096]"),
        ({"allowed_tokens": [5, 4096]}, "allowed_tokens[1]"),
        ({"allowed_tokens": [1], "ignore_eos": True}, "allowed_tokens"),
        ({"token_mask": None}, "token_mask"),
    ],
)
def test_http_refuses_what_the_vocabulary_does_not_have(engine, client, fields, param):
    state = engine.create_state(PROMPT)
    for path in GENERATE[:2]:
        answer = client.post(path, {"state_id": state.id, **fields})
        assert (answer.status, answer.json()["error"]["param"]) == (400, param)
    assert state.text == PROMPT


def test_openapi_describes_them(client):
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    for body in ("TokenBody", "MultiBody"):
        fields = schemas[body]["properties"]
        assert fields["top_logprobs"]["maximum"] == 64
        assert {"additionalProperties": {"type": "number"}, "type": "object"} in fields["logit_bias"]["anyOf"]
        assert fields["presence_penalty"]["minimum"] == -100
        assert "description" in fields["allowed_tokens"]
    assert schemas["TopAnswer"]["required"] == ["token", "token_id", "logprob"]
