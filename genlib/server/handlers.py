"""The handler of each route. Bodies arrive decoded; errors leave as exceptions."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..checks import check_int
from ..errors import InvalidRequest, StateNotFound
from . import about, answers, encode
from .connection import caller_of, cancel_when_gone
from .failure import Stalled
from .fields import MAX_VALUES
from .metrics import Metrics
from .own_states import OwnStates
from .sse import EventStream
from .threads import Threads
from .wire import AppendBody, BeamBody, CallBody, CreateBody, EmptyBody, MultiBody, ScoreBody, TokenBody, TruncateBody

if TYPE_CHECKING:
    from ..calls.requests import Request as CallRequest
    from ..engine.engine import Engine
    from ..states.state import State

MAX_LISTED = 1000
LISTED = 100
LIMIT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": MAX_LISTED, "default": LISTED}
HEALTHY = about.HealthAnswer(status="ok")


def as_json(answer: Any, status: int = 200) -> Response:
    """A JSON response with the fields of `answer`."""
    return Response(msgspec.json.encode(answer), status, media_type="application/json")


class Handlers:
    """One method per route. Texts are tokenised on a worker thread: a long one must not block the event loop."""

    def __init__(
        self,
        engine: Engine,
        metrics: Metrics,
        description: dict[str, Any],
        *,
        keep_alive: float,
        stall_after: float,
        threads: Threads,
    ) -> None:
        self._engine = engine
        self._own = OwnStates(engine, threads)
        self._metrics = metrics
        self._description = description
        self._keep_alive = keep_alive
        self._stall_after = stall_after
        self._threads = threads

    async def token(self, request: Request, body: TokenBody) -> Response:
        """POST /v1/generate/token"""
        num_values = self._num_values(body)
        with ExitStack() as ends:
            call_request = body.request(await self._target(body, ends))
            if not body.stream:
                to_answer = partial(encode.token_answer, body.state_id)
                return await self._answer(request, call_request, to_answer, num_values)
            return EventStream(
                self._engine.submit(call_request, stream=True, caller=caller_of(request)),
                body.state_id,
                self._keep_alive,
                self._metrics.first_token,
                answer=partial(self._threads.answer, num_values=num_values),
                on_end=ends.pop_all().close,
            )

    async def multi(self, request: Request, body: MultiBody) -> Response:
        """POST /v1/generate/multi"""
        num_values = self._num_values(body)
        with ExitStack() as ends:
            call_request = body.request(await self._target(body, ends))
            return await self._answer(request, call_request, partial(encode.multi_answer, body.state_id), num_values)

    async def beam(self, request: Request, body: BeamBody) -> Response:
        """POST /v1/generate/beam"""
        num_values = self._num_values(body)
        with ExitStack() as ends:
            call_request = body.request(await self._target(body, ends))
            return await self._answer(request, call_request, partial(encode.beam_answer, body.state_id), num_values)

    async def create(self, _: Request, body: CreateBody) -> Response:
        """POST /v1/states"""
        create = partial(self._engine.create_state, body.prompt, tokens=body.tokens, stop_sequences=body.stop_sequences)
        return await self._shown(await self._threads.run(create, len(body.prompt or body.tokens or ())), 201)

    async def states(self, request: Request, _: EmptyBody) -> Response:
        """GET /v1/states"""
        limit, after = _limit(request.query_params.get("limit")), request.query_params.get("after", "")
        return await self._threads.run(lambda: as_json(self._page(limit, after)), 0)

    def _page(self, limit: int, after: str) -> answers.StatesAnswer:
        own, states = self._own.ids, self._engine.states()  # which are looked up as they are then, and later
        later = (state for state in states if state.id > after and state.id not in own)
        found = heapq.nsmallest(limit + 1, later, key=lambda state: state.id)
        summaries = [summary for state in found[:limit] if (summary := _summary(state)) is not None]
        summaries = [summary for summary in summaries if summary.state_id not in own]
        return answers.StatesAnswer(states=summaries, has_more=len(found) > limit)

    async def show(self, request: Request, _: EmptyBody) -> Response:
        """GET /v1/states/{state_id}"""
        return await self._shown(self._state(request))

    async def close(self, request: Request, _: EmptyBody) -> Response:
        """DELETE /v1/states/{state_id}"""
        self._state(request).close()
        return Response(status_code=204)

    async def fork(self, request: Request, _: EmptyBody) -> Response:
        """POST /v1/states/{state_id}/fork"""
        return await self._shown(self._state(request).fork(), 201)

    async def append(self, request: Request, body: AppendBody) -> Response:
        """POST /v1/states/{state_id}/append"""
        state = self._state(request)
        await self._threads.run(partial(state.append, body.text), len(body.text))
        return await self._shown(state)

    async def truncate(self, request: Request, body: TruncateBody) -> Response:
        """POST /v1/states/{state_id}/truncate"""
        state = self._state(request)
        state.truncate(body.num_tokens)
        return await self._shown(state)

    async def score(self, request: Request, body: ScoreBody) -> Response:
        """POST /v1/states/{state_id}/score"""
        state = self._state(request)
        size = sum(map(len, [body.text or "", *(body.texts or ())]))
        call_request = await self._threads.run(partial(body.request, state), size)
        num_values = self._checked(body.num_values(call_request), "texts")
        return await self._answer(request, call_request, encode.score_answer, num_values)

    async def health(self, _: Request, __: EmptyBody) -> Response:
        """GET /health"""
        return as_json(HEALTHY)

    async def ready(self, _: Request, __: EmptyBody) -> Response:
        """GET /ready"""
        age = self._engine.loop.last_step_age  # without the engine's lock, which a token mask may hold for long
        if age > self._stall_after:
            raise Stalled(f"the engine has made no progress for {age:.1f} s")
        return as_json(about.ReadyAnswer(status="ready", last_step_age=age))

    async def metrics(self, request: Request, _: EmptyBody) -> Response:
        """GET /metrics"""
        render = partial(self._metrics.render, request.headers.get("accept", ""))
        content, media_type = await self._threads.run(render, 0)
        return Response(content, headers={"Content-Type": media_type})

    async def openapi(self, _: Request, __: EmptyBody) -> Response:
        """GET /openapi.json"""
        return as_json(self._description)

    async def index(self, _: Request, __: EmptyBody) -> Response:
        """GET /"""
        engine, paths = self._engine, self._description["paths"]
        routes = [
            about.RouteAnswer(method=method.upper(), path=path, summary=op["summary"])
            for path, methods in paths.items()
            for method, op in methods.items()
        ]
        return as_json(
            about.IndexAnswer(
                name="genlib",
                version=self._description["info"]["version"],
                model=engine.model_name,
                context_length=engine.context_length,
                fingerprint=engine.fingerprint,
                routes=routes,
            )
        )

    def _num_values(self, body: CallBody) -> int:
        """How much a response can contain. Raises InvalidRequest if that is too much."""
        return self._checked(body.num_values(self._engine.context_length), body.LENGTH)

    def _checked(self, num_values: int, param: str) -> int:
        most = max(MAX_VALUES, self._engine.context_length)
        if num_values > most:
            rule = f"let the response contain at most {most} tokens and top logprobs, `n` and beams counted"
            raise InvalidRequest(f"`{param}` must {rule}, got {num_values}", param=param)
        return num_values

    async def _target(self, body: CallBody, ends: ExitStack) -> State:
        """The state that a call is made on: the one it names, or one of its own, which is closed with `ends`."""
        body.check_target()
        return await self._own.make(body, ends) if body.state_id is None else self._open(body.state_id)

    def _open(self, state_id: str) -> State:
        try:
            if state_id in self._own.ids:
                raise StateNotFound(f"state {state_id!r} belongs to another request")
            return self._engine.state(state_id)
        except StateNotFound as error:
            raise StateNotFound(error.message, param="state_id") from None

    def _state(self, request: Request) -> State:
        return self._open(request.path_params["state_id"])

    async def _shown(self, state: State, status: int = 200) -> Response:
        return await self._threads.answer(lambda: as_json(encode.state_answer(state), status), state.num_tokens)

    async def _answer(
        self, request: Request, call_request: CallRequest[Any], to_answer: Callable[[Any], Any], num_values: int
    ) -> Response:
        call = self._engine.submit(call_request, caller=caller_of(request))
        async with cancel_when_gone(request.receive, call):
            await call.wait()
            return await self._threads.answer(lambda: as_json(to_answer(call.result())), num_values)


def _summary(state: State) -> answers.StateSummary | None:
    """None if the state was closed after it was listed."""
    try:
        return encode.state_summary(state)
    except StateNotFound:
        return None


def _limit(given: str | None) -> int:
    if given is None:
        return LISTED
    limit = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else None
    check_int("limit", given if limit is None else limit, 1, MAX_LISTED)
    assert limit is not None
    return limit
