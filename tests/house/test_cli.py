"""The command line: what it prints, where, and the status it leaves."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from support.process import finish, serving

import genlib
from genlib.cli import main
from genlib.cli.engine import _size

PROMPT = "The quick brown fox"


def outcome(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    try:
        status = main(argv)
    except SystemExit as end:  # argparse
        status = int(end.code or 0)
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture(scope="module")
def expected() -> genlib.TokenResult:
    with genlib.Engine(threads=1) as engine:
        return genlib.generate_token(engine.create_state(PROMPT), max_tokens=8, temperature=0.8, seed=7)


ARGS = ("generate", PROMPT, "--max-tokens", "8", "--temperature", "0.8", "--seed", "7", "--threads", "1")


def test_generate_prints_the_text(capsys: pytest.CaptureFixture[str], expected: genlib.TokenResult) -> None:
    assert outcome(capsys, *ARGS) == (0, f"{PROMPT}{expected.text}\n", "")


def test_generate_prints_json(capsys: pytest.CaptureFixture[str], expected: genlib.TokenResult) -> None:
    status, out, err = outcome(capsys, *ARGS, "--json")
    answer = json.loads(out)
    assert (status, err) == (0, "")
    assert set(answer) == {
        "prompt", "text", "new_tokens", "probabilities", "finished", "finish_reason", "token_ids", "logprobs",
        "seed", "stop_sequence", "stop_start", "top_logprobs",
    }  # fmt: skip
    assert (answer["text"], answer["seed"]) == (expected.text, 7)
    assert answer["probabilities"] == list(expected.probabilities)


def test_generate_takes_penalties_and_tells_the_most_likely(capsys: pytest.CaptureFixture[str]) -> None:
    penalties = {"repetition_penalty": 1.2, "presence_penalty": 0.5, "frequency_penalty": 0.25}
    flags = [part for name, value in penalties.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    _, out, _ = outcome(capsys, *ARGS, *flags, "--top-logprobs", "2", "--json")
    with genlib.Engine(threads=1) as engine:
        state = engine.create_state(PROMPT)
        options = {"max_tokens": 8, "temperature": 0.8, "seed": 7, "top_logprobs": 2, **penalties}
        result = genlib.generate_token(state, **options)
    answer = json.loads(out)
    assert answer["token_ids"] == list(result.token_ids)
    assert answer["top_logprobs"][3][1] == {
        "token": result.top_logprobs[3][1].token,
        "token_id": result.top_logprobs[3][1].token_id,
        "logprob": result.top_logprobs[3][1].logprob,
    }
    status, _, err = outcome(capsys, *ARGS, "--top-logprobs", "2")
    assert (status, "--json" in err) == (2, True)


def test_generate_prints_probabilities(capsys: pytest.CaptureFixture[str], expected: genlib.TokenResult) -> None:
    status, out, _ = outcome(capsys, *ARGS, "--probabilities")
    rows = [re.fullmatch(r" +(\d\.\d{4})  (\".*\")", line) for line in out.splitlines()]
    assert status == 0
    assert [json.loads(row[2]) for row in rows if row] == list(expected.new_tokens)
    assert [float(row[1]) for row in rows if row] == [round(p, 4) for p in expected.probabilities]


def test_generate_reads_standard_input_and_stops(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(PROMPT))
    status, out, _ = outcome(
        capsys, "generate", "-", "--temperature", "0", "--stop", "zzz", "--stop", " over", "--json", "--threads", "1"
    )
    assert status == 0
    assert (json.loads(out)["prompt"], json.loads(out)["stop_sequence"]) == (PROMPT, " over")


def test_a_seed_that_was_drawn_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    args = ("generate", PROMPT, "--max-tokens", "8", "--threads", "1")
    _, first, err = outcome(capsys, *args)
    seed = re.search(r"--seed (\d+)", err)
    assert seed is not None
    assert outcome(capsys, *args, "--seed", seed[1]) == (0, first, "")


@pytest.mark.parametrize(
    ("argv", "status", "named"),
    [
        ((), 2, "COMMAND"),
        (("fly",), 2, "fly"),
        (("generate",), 2, "PROMPT"),
        (("generate", "a", "--top-p", "x"), 2, "--top-p"),
        (("generate", "a", "--top-p", "1.3"), 2, "genlib: `top_p` must be in (0, 1], got 1.3"),
        (("generate", "a", "--temperature", "nan"), 2, "genlib: `temperature`"),
        (("generate", "a", "--max-tokens", "0"), 2, "genlib: `max_tokens`"),
        (("generate", "a", "--max-tokens", "5000"), 2, "genlib: `max_tokens`"),
        (("generate", "a", "--stop", ""), 2, "genlib: `stop_sequences[0]`"),
        (("generate", "a", "--kv-memory", "2X"), 2, "--kv-memory"),
        (("generate", "a", "--threads", "0"), 2, "genlib: `threads`"),
        (("generate", "a", "--model", "nowhere"), 1, "genlib: nowhere"),
        (("generate", "a", "--device", "tpu"), 1, "genlib: `device`"),
        (("generate", "a", "--json", "--probabilities"), 2, "not allowed with"),
        (("info", "--model", "nowhere"), 1, "genlib: nowhere"),
        (("serve", "--port", "70000"), 2, "genlib: `port`"),
        (("serve", "--drain-timeout", "-1"), 2, "genlib: `drain_timeout`"),
        (("serve", "--host", "192.0.2.1"), 1, "genlib: cannot listen"),
        (("serve", "--port", "0", "--model", "nowhere"), 1, "genlib: nowhere"),
        (("serve", "--port", "0", "--max-batch", "0"), 2, "genlib: `max_batch`"),
        (("serve", "--port", "0", "--api-key-file", "nowhere"), 1, "genlib: cannot read the API key"),
    ],
)
def test_what_is_wrong_is_one_line(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], status: int, named: str
) -> None:
    got, out, err = outcome(capsys, *argv)
    assert (got, out) == (status, "")
    assert named in err
    assert "Traceback" not in err
    if err.startswith("genlib: "):
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "size"),
    [("100", 100), ("4k", 4096), ("512M", 512 << 20), ("2g", 2 << 30), ("1GiB", 1 << 30), ("3MB", 3 << 20)],
)
def test_sizes(text: str, size: int) -> None:
    assert _size(text) == size


def test_info_describes_the_model_and_the_machine(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = outcome(capsys, "info", "--json", "--threads", "1")
    facts = json.loads(out)
    assert status == 0
    with genlib.Engine(threads=1) as engine:
        assert (facts["model"], facts["fingerprint"]) == (engine.model_name, engine.fingerprint)
        assert (facts["vocabulary"], facts["context_length"]) == (engine.vocab_size, engine.context_length)
    assert facts["vector_width"] in ("avx512", "avx2", "baseline")
    assert (facts["threads"], facts["genlib"]) == (1, genlib.__version__)
    _, lines, _ = outcome(capsys, "info", "--threads", "1")
    assert dict(line.split(maxsplit=1) for line in lines.splitlines()) == {k: str(v) for k, v in facts.items()}


def test_the_command_imports_nothing_heavy() -> None:
    code = "import sys, genlib.cli; print({'torch', 'starlette', 'uvicorn', 'msgspec'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_serving_without_the_extra_says_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "genlib.server.run", raising=False)
    assert outcome(capsys, "serve") == (
        1, "", "genlib: serving needs the package 'uvicorn': pip install 'genlib[server]'\n",
    )  # fmt: skip


def test_a_port_that_is_taken_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, err = outcome(capsys, "serve", "--port", str(port))
    assert status == 1
    assert err.startswith(f"genlib: cannot listen on 127.0.0.1, port {port}: ")


def test_serve_answers_and_ends_cleanly(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    with serving("--api-key-file", str(tmp_path / "key")) as (process, url):
        with urlopen(f"{url}/health") as answer:
            assert json.load(answer) == {"status": "ok"}
        headers = {"Content-Type": "application/json", "Authorization": "Bearer secret"}
        with urlopen(Request(f"{url}/v1/states", b'{"prompt": "A fox"}', headers)) as answer:
            assert json.load(answer)["text"] == "A fox"
        assert finish(process, signal.SIGINT) == (0, "", "")


def test_who_stops_reading_stops_the_command() -> None:
    command = (
        f"{sys.executable} -m genlib generate {PROMPT!r} --max-tokens 900 --ignore-eos --threads 1 --seed 1 | head -c 3"
    )
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "The", "")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = outcome(capsys, "--version")
    assert (status, out) == (0, f"genlib {genlib.__version__}\n")


def test_a_final_newline_of_standard_input_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(PROMPT + "\n\n"))
    _, out, _ = outcome(capsys, "generate", "-", "--json", "--max-tokens", "1", "--threads", "1")
    assert json.loads(out)["prompt"] == PROMPT + "\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_one_line() -> None:
    command = [sys.executable, "-m", "genlib", "generate", PROMPT, "--max-tokens", "3", "--seed", "1"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "genlib: cannot write the output: No space left on device\n")


def test_a_terminal_without_a_character_gets_its_number() -> None:
    command = [
        sys.executable,
        "-m",
        "genlib",
        "generate",
        "caf\N{LATIN SMALL LETTER E WITH ACUTE}",
        "--max-tokens",
        "1",
    ]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run([*command, "--seed", "1"], capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("caf\\xe9")
