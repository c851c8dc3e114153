"""A seeded source of short, simple English stories: the corpus of the default model.

`python stories.py --seed 1 --count 5` prints some. The same seed gives the same stories on every machine.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Iterator

import cast
import fox
import lexicon
import openings
import pieces
import plots_friends
import plots_gifts
import plots_nature
import plots_things
import words
from grammar import Beat, tell

PLOTS = (*plots_things.PLOTS, *plots_gifts.PLOTS, *plots_friends.PLOTS, *plots_nature.PLOTS)
STRANGER_PLOTS = frozenset({"new_friend", "got_lost"})
_BOUNDARY = re.compile(r'(?<=[.!?]) (?=[A-Z])')


def _cast(rng: random.Random) -> tuple[cast.Character, cast.Character]:
    """A hero and a friend: two children, two animals, or one of each, mostly a girl and a boy."""
    make_hero = cast.child if rng.random() < 0.6 else cast.animal
    hero = make_hero(rng, frozenset(), rng.random() < 0.5)
    same = rng.random() < 0.8
    make_friend = make_hero if same else (cast.animal if make_hero is cast.child else cast.child)
    female = (not hero.female) if rng.random() < 0.7 else hero.female
    return hero, make_friend(rng, frozenset({hero.name, hero.kind}), female)


def _things(rng: random.Random, category: str, hero: cast.Character) -> dict[str, object]:
    """The things and places of a story, all different from each other."""
    thing = cast.thing(rng, category)
    other = cast.thing(rng, "toy")
    while other.noun == thing.noun:
        other = cast.thing(rng, "toy")
    where = cast.place(rng, hero)
    elsewhere = cast.place(rng, hero)
    while elsewhere == where:
        elsewhere = cast.place(rng, hero)
    food, food2 = rng.sample(words.FOODS, 2)
    trait, trait2 = rng.sample(words.TRAITS, 2)
    homes = words.CHILD_HOMES if hero.kind in ("girl", "boy") else words.WILD_HOMES
    home = rng.choice(homes).format(x=rng.choice(words.NEAR), h=hero)
    return {
        "t": thing, "q": other, "p": where, "p2": elsewhere, "food": food, "food2": food2,
        "trait": trait, "trait2": trait2, "home": home,
        "home_cap": home[0].upper() + home[1:].replace("his ", "my ").replace("her ", "my "),
    }


def _circumstances(rng: random.Random, seasons: tuple[str, ...]) -> dict[str, object]:
    """Time, numbers, skills, fears and the like; the season suits the weather."""
    return {
        "time": rng.choice(words.TIMES), "season": rng.choice(seasons), "meal": rng.choice(("lunch", "school")),
        "weekday": rng.choice(words.WEEKDAYS), "n": rng.choice(words.NUMBERS), "age": rng.choice(words.AGES),
        "skill": rng.choice(words.SKILLS), "fear": rng.choice(words.FEARS), "job": rng.choice(words.JOBS),
        "color": rng.choice(words.COLORS), "near": rng.choice(words.NEAR),
        "wild": rng.choice(("forest", "woods", "tall grass", "night", "field")),
    }


def draw_slots(
    rng: random.Random, category: str, hero: cast.Character, friend: cast.Character
) -> dict[str, object]:
    """Everything that a template may name, drawn once so that it stays the same through a story."""
    weather, clause, sentence, seasons = rng.choice(words.WEATHER)
    now = clause.replace("was", "is")
    slots = _things(rng, category, hero)
    small = rng.choice([k for k in words.SMALL_ANIMALS if k not in (hero.kind, friend.kind)])
    slots |= {
        "pet": rng.choice([n for n in words.PET_NAMES if n not in (hero.name, friend.name)]),
        "h": hero, "f": friend, "o": cast.elder(rng, hero), "small": small, "smalls": lexicon.plural(small),
        "w": weather, "wclause": clause, "wsent": sentence, "wnow": now, "wnow_cap": now[0].upper() + now[1:],
    }
    return slots | _circumstances(rng, seasons) | lexicon.draw_lexicon(rng)


def _join(parts: list[str], rng: random.Random) -> str:
    """One paragraph, or several set apart by one or two line ends."""
    style = rng.random()
    if style < 0.7:
        return " ".join(parts).replace("\n ", "\n")
    gap = "\n\n" if style < 0.9 else "\n"
    text = parts[0]
    for part in parts[1:]:
        text += (gap if rng.random() < 0.35 else " ") + part
    return text.replace("\n ", "\n")


def _tale(rng: random.Random) -> str:
    """A story by one of the plots."""
    name, category, beats = rng.choice(PLOTS)
    hero, friend = _cast(rng)
    slots = draw_slots(rng, category, hero, friend)
    head: tuple[Beat, ...] = (openings.HERO, openings.COLOR)
    if name not in STRANGER_PLOTS:
        head = (*head, openings.FRIEND)
    if rng.random() < 0.02:
        head = (*head, fox.READING)
    parts = tell((*head, lexicon.SIGHT, *beats), rng, slots)
    if rng.random() < 0.7:
        parts += tell((openings.HOME,), rng, slots)
    return _join(parts, rng)


def _fox_tale(rng: random.Random) -> str:
    """A story that opens with the fox sentence and goes on in the present, or as one of the plots."""
    _, category, beats = rng.choice([plot for plot in PLOTS if plot[0] not in STRANGER_PLOTS])
    slots = draw_slots(rng, category, fox.FOX, fox.DOG)
    if rng.random() < 0.6:
        return _join(tell((fox.OPENING, *fox.PRESENT), rng, slots), rng)
    return _join(tell((fox.OPENING, fox.TURN, *beats, openings.HOME), rng, slots), rng)


def _piece(rng: random.Random) -> str:
    """One of the short pieces."""
    hero, friend = _cast(rng)
    slots = draw_slots(rng, "toy", hero, friend)
    return _join(tell(rng.choice((*pieces.PIECES, lexicon.NOTES)), rng, slots), rng).strip()


def _later_start(text: str, rng: random.Random) -> str:
    """The same story from one of its later sentences on, so that any sentence can be a beginning."""
    starts = [m.end() for m in _BOUNDARY.finditer(text) if text.count('"', 0, m.end()) % 2 == 0]
    starts = [start for start in starts if start < len(text) // 2]
    return text[rng.choice(starts) :] if starts else text


def story(rng: random.Random) -> str:
    """One text of the corpus; all that varies is drawn from `rng`."""
    kind = rng.random()
    if kind < 0.035:
        return _fox_tale(rng)
    if kind < 0.12:
        return _piece(rng)
    text = _tale(rng)
    return _later_start(text, rng) if kind < 0.18 else text


def stories(seed: int) -> Iterator[str]:
    """Texts without end, the same for the same seed; no two are alike in any practical number of them."""
    rng = random.Random(seed)
    while True:
        yield story(rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=5)
    options = parser.parse_args()
    source = stories(options.seed)
    for _ in range(options.count):
        print(next(source), end="\n\n----\n\n")


if __name__ == "__main__":
    main()
