"""`make demo`: the three calls with the embedded model, in Python and over HTTP. Fails if anything is wrong."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import genlib

WIDTH = 110
STORY, FOX = "Once upon a time", "The quick brown fox"
TOKEN_FIELDS = {"text", "new_tokens", "probabilities", "finished", "finish_reason"}


class DemoError(Exception):
    """Something is not as it must be."""


def check(holds: bool, what: str) -> None:
    """Raises DemoError with what does not hold."""
    if not holds:
        raise DemoError(what)


def title(text: str) -> None:
    """A heading; bold on a terminal."""
    line = f"{text}\n{'=' * len(text)}"
    print("\n" + (f"\033[1m{line}\033[0m" if sys.stdout.isatty() else line) + "\n")


def code(text: str) -> None:
    """What is run next, as a reader would type it."""
    print(textwrap.indent(text, ">>> "))


def show(prompt: str, text: str) -> None:
    """A prompt and what came of it, wrapped."""
    print(textwrap.fill(prompt + text, WIDTH, initial_indent="    ", subsequent_indent="    "))


def quoted(text: str) -> str:
    """A token with its spaces and line breaks visible."""
    return json.dumps(text, ensure_ascii=False)


def show_probabilities(tokens: Iterable[str], probabilities: Iterable[float]) -> None:
    """One row for each token: its text, its probability, and the probability as a bar."""
    names = [quoted(token) for token in tokens]
    width = max(map(len, names), default=0)
    for name, probability in zip(names, probabilities, strict=True):
        check(0 < probability <= 1, f"a probability of {probability}")
        print(f"    {name:<{width}}  {probability:.4f}  {'#' * round(40 * probability)}".rstrip())


# In Python.


def python_token(engine: genlib.Engine) -> None:
    """generate_token: advance a state."""
    title("generate_token: advance a state")
    code(
        f'state = engine.create_state("{FOX}")\n'
        "out = genlib.generate_token(state, max_tokens=12, temperature=0.8, top_p=0.95, seed=7)"
    )
    state = engine.create_state(FOX)
    out = genlib.generate_token(state, max_tokens=12, temperature=0.8, top_p=0.95, seed=7)
    check(out.text == "".join(out.new_tokens), "the text is not that of its tokens")
    check(state.text == FOX + out.text, "the state did not advance by its tokens")
    show_probabilities(out.new_tokens, out.probabilities)
    print()
    show(FOX, out.text)
    print()
    code(
        f'state = engine.create_state("{STORY}")\n'
        "for piece in genlib.generate_token(state, max_tokens=120, temperature=0.7, seed=1, stream=True):\n"
        '    print(piece.text, end="")'
    )
    state = engine.create_state(STORY)
    began = time.perf_counter()
    pieces = list(genlib.generate_token(state, max_tokens=120, temperature=0.7, seed=1, stream=True))
    seconds = time.perf_counter() - began
    show(STORY, "".join(piece.text for piece in pieces))
    count = sum(len(piece.new_tokens) for piece in pieces)
    print(f"\n    {count} tokens in {seconds:.2f} s. The same seed gives the same text, on any x86-64 machine.")


def python_multi(engine: genlib.Engine) -> None:
    """generate_multi: n continuations."""
    title("generate_multi: n continuations of a state, which stays as it is")
    code(
        f'state = engine.create_state("{STORY}")\n'
        "three = genlib.generate_multi(state, n=3, max_tokens=16, temperature=0.7, seed=3)"
    )
    state = engine.create_state(STORY)
    three = genlib.generate_multi(state, n=3, max_tokens=16, temperature=0.7, seed=3)
    check(state.text == STORY, "generate_multi changed its state")
    for i, one in enumerate(three.continuations):
        print(f"[{i}]")
        show(STORY, one.text)
        show_probabilities(one.new_tokens, one.probabilities)
    first = genlib.generate_token(state, max_tokens=16, temperature=0.7, seed=3)
    check(first.token_ids == three.continuations[0].token_ids, "continuation 0 is not generate_token's")
    print("\n    generate_token with this seed gives continuation 0, bit for bit.")


def python_beam(engine: genlib.Engine) -> None:
    """beam_search: the best continuations."""
    title("beam_search: the best continuations of a state")
    code(
        f'state = engine.create_state("{STORY}")\n'
        "best = genlib.beam_search(state, num_beams=5, max_length=20, early_stopping=True)"
    )
    state = engine.create_state(STORY)
    best = genlib.beam_search(state, num_beams=5, max_length=20, early_stopping=True)
    check(len(best.beams) == 5, "not five beams")
    check(list(best.scores) == sorted(best.scores, reverse=True), "the beams are not in the order of their scores")
    for text, score in zip(best.beams, best.scores, strict=True):
        print(f"{score:9.4f}")
        show(STORY, text)
    ids = best.token_ids[0]
    logprobs = engine.submit(genlib.Score(state, ids)).result()
    check(abs(logprobs.total / len(ids) - best.scores[0]) < 1e-4, "the best beam's score is not that of its tokens")


# Over HTTP.


@contextmanager
def serving() -> Iterator[str]:
    """The URL of a server of its own process, which must end with status 0 when it is told to."""
    command = [sys.executable, "-m", "genlib", "serve", "--port", "0"]
    print("$ genlib serve --port 0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            check(line.startswith("genlib is listening on http://"), f"the server said {line!r}")
            print(line)
            yield line.split()[-1]
            process.send_signal(signal.SIGTERM)
            check(process.wait(timeout=30) == 0, f"the server ended with status {process.returncode}")
            print("The server was stopped and ended with status 0.")
        finally:
            process.kill()


def post(url: str, path: str, body: dict[str, Any]) -> str:
    """Sends a body, prints it as a curl command, and returns the answer."""
    data = json.dumps(body)
    flags = "-sN" if body.get("stream") else "-s"
    print(f"$ curl {flags} {url}{path} \\\n    -H 'Content-Type: application/json' \\\n    -d {shlex.quote(data)}")
    request = urllib.request.Request(url + path, data.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return str(answer.read().decode())


def pretty(value: Any, indent: str = "") -> str:
    """Indented JSON with lists of plain values on as few lines as they need."""
    inner = indent + "  "
    if isinstance(value, dict):
        rows = [f"{inner}{json.dumps(key)}: {pretty(one, inner)}" for key, one in value.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
        return "[\n" + ",\n".join(inner + pretty(one, inner) for one in value) + f"\n{indent}]"
    if isinstance(value, list):
        line, lines = "", []
        for one in value:
            item = json.dumps(one, ensure_ascii=False) + ", "
            if len(inner) + len(line) + len(item) > WIDTH:
                lines.append(line.rstrip())
                line = ""
            line += item
        lines.append(line.removesuffix(", "))
        return f"[{lines[0]}]" if len(lines) == 1 else "[\n" + "\n".join(inner + one for one in lines) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)


def ask(url: str, path: str, body: dict[str, Any], fields: set[str]) -> dict[str, Any]:
    """Posts, prints the answer, and checks that it has the fields that are promised."""
    answer: dict[str, Any] = json.loads(post(url, path, body))
    print(pretty(answer) + "\n")
    check(fields <= set(answer), f"{path} answers without {fields - set(answer)}")
    return answer


def http_calls(url: str) -> None:
    """The three requests, and one stream."""
    state = ask(url, "/v1/states", {"prompt": FOX}, {"state_id", "num_tokens", "text", "finished", "created_at"})
    state_id = {"state_id": state["state_id"]}
    one = {
        "max_tokens": 5,
        "temperature": 0.8,
        "top_p": 0.95,
        "seed": 7,
        "stop_sequences": ["\n", "."],
        "stream": False,
    }
    out = ask(url, "/v1/generate/token", {**state_id, **one}, TOKEN_FIELDS | {"state_id"})
    check(out["text"] == "".join(out["new_tokens"]), "the text is not that of its tokens")
    many = {"n": 3, "max_tokens": 10, "temperature": 0.7}
    three = ask(url, "/v1/generate/multi", {**state_id, **many}, {"state_id", "continuations"})
    check([set(c) >= TOKEN_FIELDS for c in three["continuations"]] == [True] * 3, "not three continuations")
    search = {"num_beams": 5, "max_length": 20, "early_stopping": True}
    best = ask(url, "/v1/generate/beam", {**state_id, **search}, {"state_id", "beams"})
    check([type(text) for text in best["beams"]] == [str] * 5, "not five beams")
    stream = post(
        url, "/v1/generate/token", {**state_id, "max_tokens": 4, "temperature": 0.7, "seed": 7, "stream": True}
    )
    print(stream.rstrip() + "\n")
    *events, last = [line.removeprefix("data: ") for line in stream.splitlines() if line]
    check(last == "[DONE]", "the stream does not end with [DONE]")
    *pieces, total = [json.loads(event) for event in events]
    check("".join(piece["text"] for piece in pieces) == total["text"], "the stream's text is not its pieces'")


def main() -> int:
    """Runs it all; returns the exit status."""
    try:
        title("genlib: the three calls in Python")
        code("engine = genlib.Engine()")
        began = time.perf_counter()
        with genlib.Engine() as engine:
            seconds = time.perf_counter() - began
            print(f"    {engine.model_name}, a context of {engine.context_length} tokens, ready in {seconds:.2f} s")
            python_token(engine)
            python_multi(engine)
            python_beam(engine)
        title("The same over HTTP")
        with serving() as url:
            http_calls(url)
    except (DemoError, genlib.GenlibError, OSError, subprocess.TimeoutExpired) as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    print("\nAll is as it should be.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
