"""The table of pages, case by case: the edges that its contract names."""

from __future__ import annotations

import pytest
from support.pages import World, computed_entry, pages
from support.pages_model import W, int32

TEXT = list(range(100, 100 + 8 * W))


def test_append_to_a_page_cut_short_copies_it_and_leaves_the_full_one_findable() -> None:
    world = World(8)
    handle = computed_entry(world, TEXT[: 2 * W])
    full = pages(world, handle)
    world.truncate(handle, W + 5)
    assert pages(world, handle) == full
    assert world.append(handle, [1, 2])
    assert pages(world, handle)[0] == full[0]
    assert pages(world, handle)[1] != full[1]
    assert world.memory.pending == []
    world.check()
    assert world.memory.pending == [(full[1], pages(world, handle)[1])]
    assert world.step({handle: 2})
    assert world.match(world.create(0), TEXT[: 2 * W + 1]) == 2 * W
    world.check()


def test_two_forks_write_apart_and_the_last_one_needs_no_copy() -> None:
    world = World(8)
    first = computed_entry(world, TEXT[: W + 3])
    second, third = world.fork(first), world.fork(first)
    shared = pages(world, first)
    for token, handle in enumerate((first, second, third)):
        assert world.append(handle, [token])
        world.check()
    assert len(world.memory.pending) == 2
    assert pages(world, third) == shared
    assert len({pages(world, h)[1] for h in (first, second, third)}) == 3
    assert world.step({first: 1, second: 1, third: 1})
    world.check()


@pytest.mark.parametrize("hash_mask", [0xFFFFFFFF, 0])
def test_namespaces_share_nothing(hash_mask: int) -> None:
    world = World(8, hash_mask)
    computed_entry(world, TEXT[: 2 * W], namespace=7)
    assert world.match(world.create(8), TEXT) == 0
    assert world.match(world.create(7), TEXT) == 2 * W


@pytest.mark.parametrize("hash_mask", [0xFFFFFFFF, 0])
def test_equal_pages_under_different_parents_are_different(hash_mask: int) -> None:
    world = World(12, hash_mask)
    same = TEXT[:W]
    one = computed_entry(world, [1] * W + same)
    two = computed_entry(world, [2] * W + same)
    assert pages(world, one)[1] != pages(world, two)[1]
    assert world.match(world.create(0), [*same, 0]) == 0
    found = world.create(0)
    assert world.match(found, [2] * W + same + [0]) == 2 * W
    assert pages(world, found) == pages(world, two)
    world.check()


def test_equal_pages_become_one() -> None:
    world = World(8)
    one, two = world.create(0), world.create(0)
    for handle in (one, two):
        assert world.append(handle, TEXT[: 2 * W + 1])
    assert world.step({one: 2 * W + 1, two: 2 * W + 1})
    assert pages(world, one)[:2] == pages(world, two)[:2]
    assert pages(world, one)[2] != pages(world, two)[2]
    assert world.table.num_free == 4
    world.check()


def test_match_leaves_a_token_to_feed() -> None:
    world = World(8)
    computed_entry(world, TEXT[: 2 * W])
    for given, matched in ((0, 0), (1, 0), (W, 0), (W + 1, W), (2 * W, W), (2 * W + 1, 2 * W), (5 * W, 2 * W)):
        assert world.match(world.create(0), TEXT[:given]) == matched
    filled = world.create(0)
    world.append(filled, [1])
    with pytest.raises(ValueError, match="empty entry"):
        world.table.match(filled, int32(TEXT))


@pytest.mark.parametrize(
    ("taken", "old_found", "new_found"),
    [(0, 2 * W, 3 * W), (1, W, 3 * W), (2, 0, 3 * W), (3, 0, 2 * W), (4, 0, W), (5, 0, 0)],
)
def test_the_page_released_first_is_evicted_first_and_leaves_before_parents(
    taken: int, old_found: int, new_found: int
) -> None:
    world = World(5)
    old, new = computed_entry(world, TEXT[: 2 * W]), computed_entry(world, [5] * (3 * W))
    world.free(old)
    world.free(new)
    assert (world.table.num_released, world.table.num_free) == (5, 5)
    assert world.append(world.create(0), [9] * (W * taken))
    assert world.table.num_released == 5 - taken
    assert world.match(world.create(0), TEXT[: 2 * W + 1]) == old_found
    assert world.match(world.create(0), [5] * (3 * W + 1)) == new_found
    world.check()


def test_a_matched_page_is_no_longer_evicted() -> None:
    world = World(2)
    world.free(computed_entry(world, TEXT[: 2 * W]))
    assert world.match(world.create(0), TEXT[: W + 1]) == W
    taker = world.create(0)
    assert world.append(taker, [1] * W)
    assert not world.append(taker, [1])
    world.check()


def test_the_child_of_a_page_that_was_evicted_is_not_found_under_its_successor() -> None:
    world = World(3)
    world.free(computed_entry(world, [1] * W + TEXT[:W]))
    taker = computed_entry(world, [2] * (3 * W))
    world.free(taker)
    again = computed_entry(world, [1] * W)
    assert world.match(world.create(0), [1] * W + TEXT[:W] + [0]) == W
    assert world.entries[again].computed == W


def test_tokens_not_computed_are_fed_by_neither_fork_until_one_has_pages_of_its_own() -> None:
    world = World(8)
    one = computed_entry(world, TEXT[: W + 1])
    assert world.append(one, [5])
    two = world.fork(one)
    assert not world.step({one: 1})
    assert not world.step({two: 1})
    world.truncate(two, W + 1)
    assert world.append(two, [5])
    assert world.step({one: 1, two: 1})
    world.check()
