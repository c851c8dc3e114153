"""What the table of pages promises when pages are short, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from support.pages import World, computed_entry, pages
from support.pages_model import Batch, W, int32, int64

from genlib._native import StateTable

TEXT = list(range(100, 100 + 8 * W))


def test_a_call_that_runs_out_of_pages_changes_nothing() -> None:
    world = World(3)
    handle = computed_entry(world, TEXT[: W + 2])
    fork, third = world.fork(handle), world.fork(handle)
    assert fork is not None
    assert third is not None
    assert not world.append(handle, [1] * (2 * W))
    assert not world.append(handle, [1] * 100 * W)
    assert not world.append_one([handle, fork, third], [1, 2, 3])
    assert world.append(handle, [1])
    world.free(third)
    assert world.append_one([handle, fork], [1, 2])
    world.check()


def test_the_last_of_those_that_share_a_page_needs_no_copy() -> None:
    world = World(3)
    handle = computed_entry(world, TEXT[: W + 2])
    fork, holder = world.fork(handle), world.fork(handle)
    assert fork is not None
    assert holder is not None
    assert not world.append_one([handle, fork], [1, 2]), "a third holds the page"
    world.free(holder)
    assert world.append_one([handle, fork], [1, 2])
    assert world.table.num_free == 0
    world.check()


def test_a_page_that_can_be_found_is_copied_for_each() -> None:
    world = World(3)
    handle = computed_entry(world, TEXT[: 2 * W])
    assert world.truncate(handle, W + 2)
    fork = world.fork(handle)
    assert fork is not None
    assert not world.append_one([handle, fork], [1, 2])
    world.check()


def test_a_promise_holds_against_everybody_else() -> None:
    world = World(6)
    holder, other = computed_entry(world, TEXT[: W + 2]), world.create(1)
    assert world.reserve(holder, 2 * W)
    assert world.table.num_reserved == 2
    assert not world.append(other, [1] * (2 * W + 1))
    assert world.append(other, [1] * (2 * W))
    assert not world.reserve(other, 1)
    assert world.fork(holder) is None, "the fork would cost the holder a page that is not there"
    assert world.append(holder, [3] * (2 * W))
    world.check()
    assert world.table.num_reserved == 0


def test_a_promise_pays_for_the_copy_that_a_fork_makes_necessary() -> None:
    world = World(5)
    holder = computed_entry(world, TEXT[: W + 2])
    assert world.reserve(holder, W)
    assert world.table.reserved(holder) == 1
    fork = world.fork(holder)
    assert world.table.reserved(holder) == 2
    other = world.create(0)
    assert world.append(other, [1])
    assert not world.append(other, [1] * W)
    assert world.append(holder, [3] * W)
    world.check()
    world.free(fork)
    assert world.table.num_free == 1


def test_released_pages_that_are_promised_are_not_matched() -> None:
    world = World(4)
    world.free(computed_entry(world, TEXT[: 3 * W]))
    holder = world.create(0)
    assert world.reserve(holder, 3 * W)
    assert world.match(world.create(0), TEXT) == W
    assert world.match(holder, TEXT[: 3 * W + 1]) == 3 * W
    assert world.table.num_reserved == 0
    world.check()


def test_a_match_takes_no_more_released_pages_than_its_own_promise_has() -> None:
    world = World(3)
    world.free(computed_entry(world, TEXT[: 3 * W]))
    one, two = world.create(0), world.create(0)
    assert world.reserve(one, W)
    assert world.reserve(two, 2 * W)
    assert world.match(one, TEXT) == W
    world.check()
    assert world.append(two, [1] * (2 * W))
    world.check()


def test_truncate_keeps_a_promise_or_refuses() -> None:
    world = World(5)
    holder = computed_entry(world, TEXT[: 2 * W])
    assert world.reserve(holder, W)
    assert world.append(holder, [1] * 5)
    assert world.truncate(holder, 2 * W + 1)
    assert world.append(holder, [2] * (W - 1))
    world.check()
    other = world.fork(holder)
    assert world.append(world.create(0), [1] * (2 * W))
    assert not world.truncate(holder, W + 1), "its pages stay with the fork, so the promise cannot be kept"
    world.unreserve(holder)
    assert world.truncate(holder, W + 1)
    world.free(other)
    world.check()


def test_unreserve_and_free_give_a_promise_back() -> None:
    world = World(4)
    one, two = world.create(0), world.create(0)
    assert world.reserve(one, 2 * W)
    assert world.reserve(two, 2 * W)
    assert not world.reserve(one, 2 * W + 1)
    world.unreserve(one)
    assert world.table.num_reserved == 2
    world.free(two)
    assert world.table.num_reserved == 0
    assert world.append(one, [1] * (4 * W))
    world.check()


def test_handles_that_name_nothing_are_refused() -> None:
    table = StateTable(2)
    handle = table.create(0)
    table.free(handle)
    again = table.create(0)
    assert again != handle
    for stale in (handle, handle + 1, 0, -1, 2**62):
        with pytest.raises(ValueError, match="names no entry"):
            table.length(stale)
        with pytest.raises(ValueError, match="names no entry"):
            table.append_one(int64([again, stale]), int32([1, 1]))
    assert table.length(again) == 0


def test_a_batch_names_each_entry_once_and_fits_its_buffers() -> None:
    world = World(8)
    one, two = computed_entry(world, TEXT[:3]), computed_entry(world, TEXT[: W + 3])
    table = world.table
    world.append_one([one, two], [1, 2])
    handles, counts = int64([one, two]), int32([1, 1])
    with pytest.raises(ValueError, match="twice"):
        table.append_one(int64([one, one]), counts)
    with pytest.raises(ValueError, match="twice"):
        Batch(2, 2, 2).fill(table, int64([one, one]), counts)
    with pytest.raises(ValueError, match=r"counts\[1\]"):
        Batch(4, 2, 2).fill(table, handles, int32([1, 2]))
    for name in ("ids", "positions", "rows", "starts", "lengths", "tables"):
        batch = Batch(2, 2, 2)
        setattr(batch, name, getattr(batch, name)[:1].copy())
        with pytest.raises(ValueError, match=f"`{name}` must"):
            batch.fill(table, handles, counts)
        assert batch.is_untouched()
    narrow = np.zeros((2, 1), np.int32)
    with pytest.raises(ValueError, match="2 columns"):
        table.block_tables(handles, narrow)
    tables = np.full((2, 3), -7, np.int32)
    table.block_tables(handles, tables)
    assert tables.tolist() == [[*pages(world, one), -7, -7], [*pages(world, two), -7]]


@pytest.mark.parametrize("wrong", [[1, 2], np.zeros(2), np.zeros(2, np.int64), np.zeros((1, 2), np.int32)])
def test_arrays_of_another_type_are_refused_by_name(wrong: object) -> None:
    table = StateTable(2)
    handle = table.create(0)
    with pytest.raises(TypeError, match="`tokens` must be a C-contiguous numpy array of int32"):
        table.append(handle, wrong)  # type: ignore[arg-type]
    read_only = np.zeros((2, 2), np.int32)
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="`tables` must be writable"):
        table.block_tables(int64([handle]), read_only)


def test_counts_out_of_range_are_refused() -> None:
    table = StateTable(4)
    handle = table.create(0)
    table.append(handle, int32([1, 2, 3]))
    table.commit(handle, 2)
    refused = [
        lambda: table.truncate(handle, 4),
        lambda: table.truncate(handle, -1),
        lambda: table.commit(handle, 1),
        lambda: table.commit(handle, 4),
        lambda: table.commit_many(int64([handle]), int32([4])),
        lambda: table.commit_many(int64([handle]), int32([])),
        lambda: table.reserve(handle, -1),
        lambda: table.append_one(int64([handle]), int32([])),
        lambda: StateTable(0),
        lambda: StateTable(2**27),
    ]
    for call in refused:
        with pytest.raises(ValueError, match="must"):
            call()
    assert (table.length(handle), table.computed(handle)) == (3, 2)


def test_copies_stay_queued_when_the_buffer_is_too_small() -> None:
    table = StateTable(4)
    handle = table.create(0)
    table.append(handle, int32([1]))
    table.append(table.fork(handle), int32([2]))
    with pytest.raises(ValueError, match="1 copies"):
        table.take_copies(np.zeros((0, 2), np.int32))
    out = np.zeros((3, 2), np.int32)
    assert table.num_copies == table.take_copies(out) == 1
    assert out.tolist() == [[*table.pages(handle).tolist(), out[0, 1]], [0, 0], [0, 0]]
    assert table.take_copies(out) == 0
