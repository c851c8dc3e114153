"""A process ends with its own status whatever is open, and a forked child waits for nobody."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest
from support.paths import ROOT

BEGIN = """
import asyncio, os, sys, threading, time
import genlib
engine = genlib.Engine()
state = engine.create_state("Once upon a time")
endless = {"max_tokens": 900, "ignore_eos": True}
"""
WAYS = {
    "a stream": "stream = genlib.generate_token(state, stream=True, **endless); next(stream)",
    "a call": "call = engine.submit(genlib.GenerateToken(state, **endless))",
    "a call nobody has": "engine.submit(genlib.GenerateToken(state, **endless)); time.sleep(0.05)",
    "many": "calls = [engine.submit(genlib.GenerateMulti(state, n=16, **endless)) for _ in range(4)]; time.sleep(0.1)",
    "a daemon thread": """
        def wait():
            try: genlib.generate_token(state, **endless)
            except genlib.EngineClosed: pass
        threading.Thread(target=wait, daemon=True).start()
        time.sleep(0.05)""",
    "a thread": """
        threading.Thread(target=lambda: genlib.generate_token(state, **{**endless, "max_tokens": 50})).start()""",
    "a loop": """
        async def run():
            asyncio.create_task(genlib.aio.generate_token(state, **endless))
            await asyncio.sleep(0.05)
        asyncio.run(run())""",
    "a loop that was left": """
        loop = asyncio.new_event_loop()
        task = loop.create_task(genlib.aio.generate_token(state, **endless))
        loop.run_until_complete(asyncio.sleep(0.05))
        task._log_destroy_pending = False""",
    "two engines": """
        other = genlib.Engine()
        streams = [genlib.generate_token(e.create_state("a"), stream=True, **endless) for e in (engine, other)]
        [next(stream) for stream in streams]""",
    "a timeout": """
        try: genlib.generate_token(state, timeout=0.05, **endless)
        except genlib.CallTimeout: pass""",
    "a loading model": """
        threading.Thread(target=genlib.Engine, daemon=True).start()""",
}
ENDS = {"": 0, "sys.exit(7)": 7, "raise SystemExit(8)": 8, "raise ValueError": 1, "os._exit(9)": 9}


def run(program: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BEGIN + textwrap.dedent(program)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT.parent, check=False)


@pytest.mark.parametrize("way", WAYS)
def test_a_process_ends_with_its_own_status(way: str) -> None:
    for number, (end, status) in enumerate(ENDS.items()):
        if number and way not in ("a stream", "many"):
            break
        done = run(textwrap.dedent(WAYS[way]) + "\n" + end)
        assert done.returncode == status, (end, done.stderr)
        assert status == 1 or not done.stderr, (end, done.stderr)


@pytest.mark.parametrize("handler", ["default", "sleeping"])
def test_an_interrupted_process_ends(handler: str) -> None:
    """By Ctrl-C in a call, the second time at the latest."""
    wait = "genlib.generate_multi(state, n=64, **endless)" if handler == "default" else "time.sleep(60)"
    program = f"stream = genlib.generate_token(state, stream=True, **endless); print('on', flush=True)\n{wait}"
    command = [sys.executable, "-c", BEGIN + program]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT.parent}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "on\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")


FORKED = """
stream = genlib.generate_token(state, stream=True, **endless)
next(stream)
child = os.fork()
if not child:
    failed = []
    calls = [
        lambda: genlib.generate_token(state, max_tokens=1),
        lambda: genlib.generate_multi(state, max_tokens=1),
        lambda: next(stream),
        lambda: stream.result(),
        lambda: engine.create_state("a"),
        lambda: state.append("a"),
        lambda: state.fork(),
        lambda: asyncio.run(asyncio.wait_for(genlib.aio.generate_token(state), 5)),
    ]
    for i, call in enumerate(calls):
        try:
            call()
            failed.append(i)
        except genlib.EngineForked as error:
            assert "make one in this process" in str(error)
    assert not failed, failed
    if {makes}:
        with genlib.Engine() as own:
            mine = genlib.generate_token(own.create_state("Once upon a time"), max_tokens=5, seed=7).text
            assert mine == ", in a faraway land", mine
    {end}
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
stream.close()
again = engine.create_state("Once upon a time")
assert genlib.generate_token(again, max_tokens=5, seed=7).text == ", in a faraway land"
"""


@pytest.mark.parametrize("makes", [False, True])
@pytest.mark.parametrize("end", ["sys.exit(5)", "os._exit(5)"])
def test_a_forked_child(makes: bool, end: str) -> None:
    done = run(FORKED.format(makes=makes, end=end))
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_that_closes_what_it_has() -> None:
    done = run("""
        child = os.fork()
        if not child:
            engine.close()
            del state, engine
            sys.exit(5)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
        assert genlib.generate_token(state, max_tokens=2).token_ids
    """)
    assert done.returncode == 0, done.stderr
