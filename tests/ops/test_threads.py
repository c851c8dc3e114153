"""The team of threads: every join comes, with more threads than cores and after sleep; callers take turns."""

from __future__ import annotations

import threading

import numpy as np
from support.ops import assert_same_bits, cpu, floats, nans, program, tensor


def test_many_threads_on_few_cores_and_threads_that_slept():
    """Eight threads share the cores: every join must come, after spinning as well as after sleep."""
    rng = np.random.default_rng(1)
    x, w = floats(rng, 3, 64), tensor(floats(rng, 640, 64))
    with cpu(8) as ops, cpu(1) as one:
        weight = ops.pack([w])
        expected, out = nans(3, 640), nans(3, 640)
        one.linear(x, one.pack([w]), expected)
        step = program(ops, lambda: ops.linear(x, weight, out))
        pause = threading.Event()
        for i in range(60):
            if i % 20 == 0:
                pause.wait(0.003)
            out[:] = np.nan
            step()
            assert_same_bits(out, expected)


def test_two_python_threads_take_turns():
    rng = np.random.default_rng(2)
    w = tensor(floats(rng, 320, 64), "BF16")
    with cpu(2) as ops:
        weight = ops.pack([w])
        failures = []

        def work(seed):
            x, out, first = floats(np.random.default_rng(seed), 40, 64), nans(40, 320), nans(40, 320)
            step = program(ops, lambda: ops.linear(x, weight, out)) if seed == 0 else None
            for i in range(50):
                step() if step else ops._do(lambda it: it.linear(x, weight, out, None))
                if i == 0:
                    first[:] = out
                elif not np.array_equal(out, first):
                    failures.append(seed)

        step_owner = threading.Thread(target=work, args=(0,))
        step_owner.start()
        step_owner.join(0.01)
        others = [threading.Thread(target=work, args=(seed,)) for seed in (1, 2)]
        for other in others:
            other.start()
        for thread in [step_owner, *others]:
            thread.join()
        assert not failures
