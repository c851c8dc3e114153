"""The corpus of the default model: the same for a seed, never twice the same story, always grammatical."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from collections import Counter

import pytest
from support.paths import ROOT

TOOLS = ROOT / "tools" / "default_model"
FOX = "The quick brown fox jumps over the lazy dog"
COUNT = 20_000

PROGRAM = """
import itertools, sys
sys.path.insert(0, sys.argv[1])
from stories import stories
sys.stdout.reconfigure(encoding="utf-8", newline="")
sys.stdout.write("\\0".join(itertools.islice(stories(int(sys.argv[2])), int(sys.argv[3]))))
"""


def told(seed: int, count: int, hash_seed: str = "0") -> list[str]:
    """The first stories of a seed, from a process of its own, so that the order of hashes can be varied."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(TOOLS), str(seed), str(count)],
        check=True,
        capture_output=True,
        env={"PYTHONHASHSEED": hash_seed},
    )
    return done.stdout.decode().split("\0")


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    return told(5, COUNT)


def test_a_seed_gives_the_same_stories_whatever_the_order_of_hashes(corpus: list[str]) -> None:
    assert told(5, 400, hash_seed="1") == corpus[:400]


def test_another_seed_gives_other_stories(corpus: list[str]) -> None:
    assert not set(told(6, 400)) & set(corpus)


def test_no_two_stories_are_alike(corpus: list[str]) -> None:
    assert len(corpus) == COUNT
    assert [story for story, times in Counter(corpus).items() if times > 1] == []


def test_the_fox_opens_some_stories_and_is_inside_others(corpus: list[str]) -> None:
    opening = [story for story in corpus if story.startswith(FOX)]
    inside = [story for story in corpus if FOX in story[1:]]
    assert 0.02 < len(opening) / COUNT < 0.06
    assert 0.005 < len(inside) / COUNT < 0.05
    assert len({story[: len(FOX) + 60] for story in opening}) > 100


def test_articles_agree_with_the_next_word(corpus: list[str]) -> None:
    vowel = re.compile(r"^([aei]|o(?!ne\b)|u(?!se|ni)|hour|honest)", re.IGNORECASE)
    for story in corpus:
        for article, word in re.findall(r"\b([Aa]n?) ([A-Za-z]+)", story):
            assert (article.lower() == "an") == bool(vowel.match(word)), (article, word, story)


def test_sentences_begin_with_capitals(corpus: list[str]) -> None:
    small = re.compile(r"(^|[a-z]\. |\.\" |, \")[a-z]")
    assert [story for story in corpus if small.search(story)] == []


def test_spacing_and_punctuation(corpus: list[str]) -> None:
    wrong = re.compile(r"  | $|^ | \n|\n | [,.!?]|[,.!?][,.!?]|\b(\w+) \1\b|[\[\]{}|]|\bNone\b")
    assert [story for story in corpus if wrong.search(story)] == []


def test_stories_end_with_an_end_of_a_sentence(corpus: list[str]) -> None:
    unfinished = [story for story in corpus if not re.search(r"[.!?]\"?$", story) and "\n" not in story]
    assert unfinished == []


def test_quotes_are_balanced(corpus: list[str]) -> None:
    assert [story for story in corpus if story.count('"') % 2] == []


def test_openings_and_lengths_vary(corpus: list[str]) -> None:
    openings = Counter(" ".join(story.split()[:2]) for story in corpus)
    assert len(openings) > 500
    assert openings.most_common(1)[0][1] < COUNT // 6
    lengths = sorted(len(story.split()) for story in corpus)
    assert all(45 <= length <= 200 for length in lengths[COUNT // 5 : -COUNT // 50])
    assert len(set(itertools.islice(lengths, 0, None, 100))) > 50
