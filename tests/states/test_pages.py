"""The table of pages against a plain model: over long random runs, in every order that hypothesis can think of."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.pages import W, World

NAMESPACES = (0, 2**64 - 1)
STORY = random.Random(5).choices(range(3), k=40 * W)


def story(which: int, begin: int, count: int) -> list[int]:
    """Tokens of one of three texts that are equal for a while and then differ, so that prefixes meet often."""
    tokens = STORY[begin : begin + count]
    return [t + 10 * which if begin + i >= (1, W + 5, 3 * W)[which] else t for i, t in enumerate(tokens)]


def feed(world: World, rng: random.Random, handles: list[int]) -> None:
    """A step over some entries; whoever would write a shared page gets pages of its own first."""
    work = {h: rng.randint(0, len(world.entries[h].tokens) - world.entries[h].computed) for h in handles}
    chosen = rng.choice(handles)
    forks_in_step = rng.random() < 0.1 and len(world.entries) < 10
    if world.step(work, (lambda: world.fork(chosen)) if forks_in_step else None):
        return
    for handle in work:
        entry = world.entries[handle]
        waiting = entry.tokens[entry.computed :]
        if world.truncate(handle, entry.computed):
            world.append(handle, waiting)


def operate(world: World, rng: random.Random) -> None:
    """One random operation."""
    handles = list(world.entries)
    if not handles or (len(handles) < 10 and rng.random() < 0.12):
        handle = world.create(rng.choice(NAMESPACES))
        if rng.random() < 0.2:
            world.reserve(handle, rng.randint(0, 3 * W))
        if rng.random() < 0.8:
            world.match(handle, story(rng.randrange(3), 0, rng.randint(0, 5 * W)))
        return
    handle = rng.choice(handles)
    length = len(world.entries[handle].tokens)
    some = rng.sample(handles, rng.randint(1, len(handles)))
    match rng.choices(range(8), (5, 8, 6, 4, 12, 2, 2, 5))[0]:
        case 0:
            if len(handles) < 10:
                world.fork(handle)
        case 1:
            world.append(handle, story(rng.randrange(3), length, rng.choice((0, 1, 3, W, 2 * W + 1))))
        case 2:
            world.append_one(some, [story(rng.randrange(3), len(world.entries[h].tokens), 1)[0] for h in some])
        case 3:
            world.truncate(handle, rng.choice((length, rng.randint(0, length), max(0, length - 1))))
        case 4:
            feed(world, rng, some)
        case 5:
            world.reserve(handle, rng.choice((0, 1, W, 3 * W)))
        case 6:
            world.unreserve(handle)
        case 7:
            world.free(handle)


@pytest.mark.parametrize("seed", range(3))
def test_twenty_thousand_operations_on_few_pages(seed: int, share: float) -> None:
    rng, world = random.Random(seed), World(16 + 4 * seed, hash_mask=(0xFFFFFFFF, 1, 0)[seed])
    for _ in range(round(20_000 * share)):
        operate(world, rng)
        world.check()
        if max((len(e.tokens) for e in world.entries.values()), default=0) > 30 * W:
            world.free(max(world.entries, key=lambda h: len(world.entries[h].tokens)))
    assert set(world.refusals) >= {"append", "append_one", "reserve"}, "the run met no shortage: it proves little"
    for handle in list(world.entries):
        world.free(handle)
    world.check()
    assert world.table.num_free == world.num_pages
    assert world.table.num_reserved == world.table.num_entries == 0


@pytest.mark.parametrize("seed", range(2))
def test_every_computed_prefix_is_found_while_pages_last(seed: int) -> None:
    rng, world = random.Random(seed), World(4_000, hash_mask=0xFFFFFFFF * seed)
    for _ in range(1_500):
        if len(world.entries) > 6:
            world.free(rng.choice(list(world.entries)))
        handle = world.create(rng.choice(NAMESPACES))
        tokens = story(rng.randrange(3), 0, rng.randint(0, 6 * W))
        assert world.match(handle, tokens) == world.known_prefix(world.entries[handle].namespace, tokens)
        assert world.append(handle, tokens[len(world.entries[handle].tokens) :])
        waiting = [h for h, e in world.entries.items() if len(e.tokens) > e.computed]
        if waiting:
            assert world.step({h: len(world.entries[h].tokens) - world.entries[h].computed for h in waiting})
        world.check()


class Machine(RuleBasedStateMachine):
    """The same operations, chosen and shrunk by hypothesis."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(9)

    def pick(self, index: int) -> int:
        handles = list(self.world.entries)
        return handles[index % len(handles)]

    @precondition(lambda self: len(self.world.entries) < 6)
    @rule(
        namespace=st.sampled_from(NAMESPACES),
        which=st.integers(0, 2),
        count=st.integers(0, 4 * W),
        promised=st.integers(0, 2 * W),
    )
    def create(self, namespace: int, which: int, count: int, promised: int) -> None:
        handle = self.world.create(namespace)
        self.world.reserve(handle, promised)
        self.world.match(handle, story(which, 0, count))

    @precondition(lambda self: 0 < len(self.world.entries) < 6)
    @rule(index=st.integers(0, 5))
    def fork(self, index: int) -> None:
        self.world.fork(self.pick(index))

    @precondition(lambda self: self.world.entries)
    @rule(index=st.integers(0, 5), which=st.integers(0, 2), count=st.integers(0, 2 * W + 1))
    def append(self, index: int, which: int, count: int) -> None:
        handle = self.pick(index)
        self.world.append(handle, story(which, len(self.world.entries[handle].tokens), count))

    @precondition(lambda self: self.world.entries)
    @rule(which=st.integers(0, 2))
    def append_to_all(self, which: int) -> None:
        handles = list(self.world.entries)
        tokens = [story(which, len(self.world.entries[h].tokens), 1)[0] for h in handles]
        self.world.append_one(handles, tokens)

    @precondition(lambda self: self.world.entries)
    @rule(index=st.integers(0, 5), n=st.integers(0, 6 * W))
    def truncate(self, index: int, n: int) -> None:
        handle = self.pick(index)
        self.world.truncate(handle, min(n, len(self.world.entries[handle].tokens)))

    @precondition(lambda self: self.world.entries)
    @rule(seed=st.integers(0, 50), only=st.none() | st.integers(0, 5))
    def feed(self, seed: int, only: int | None) -> None:
        handles = list(self.world.entries) if only is None else [self.pick(only)]
        feed(self.world, random.Random(seed), handles)

    @precondition(lambda self: self.world.entries)
    @rule(index=st.integers(0, 5), num_tokens=st.integers(0, 3 * W))
    def reserve(self, index: int, num_tokens: int) -> None:
        self.world.reserve(self.pick(index), num_tokens)

    @precondition(lambda self: self.world.entries)
    @rule(index=st.integers(0, 5))
    def unreserve(self, index: int) -> None:
        self.world.unreserve(self.pick(index))

    @precondition(lambda self: self.world.entries)
    @rule(index=st.integers(0, 5))
    def free(self, index: int) -> None:
        self.world.free(self.pick(index))

    @invariant()
    def holds(self) -> None:
        self.world.check()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=50, deadline=None, database=None)
