"""Who and what a story is about: characters, things and places, drawn once and kept through it."""

from __future__ import annotations

import random
from dataclasses import dataclass

import words


@dataclass(frozen=True, slots=True)
class Character:
    """One figure; the fields are the words a template may use for it."""

    name: str
    intro: str
    call: str
    kind: str
    trait: str
    female: bool

    @property
    def Name(self) -> str:  # noqa: N802 - the template's spelling of a name after a quote
        return self.name[0].upper() + self.name[1:]

    @property
    def name_his(self) -> str:
        return f"{self.name}'s"

    @property
    def a_kind(self) -> str:
        return f"a {self.kind}"

    @property
    def a_trait_kind(self) -> str:
        return f"a {self.trait} {self.kind}"

    @property
    def he(self) -> str:
        return "she" if self.female else "he"

    @property
    def him(self) -> str:
        return "her" if self.female else "him"

    @property
    def his(self) -> str:
        return "her" if self.female else "his"

    @property
    def self(self) -> str:
        return "herself" if self.female else "himself"


@dataclass(frozen=True, slots=True)
class Thing:
    """A countable thing with one adjective: "red ball"."""

    adjective: str
    noun: str

    @property
    def bare(self) -> str:
        return f"{self.adjective} {self.noun}"

    @property
    def a(self) -> str:
        return f"a {self.adjective} {self.noun}"

    @property
    def the(self) -> str:
        return f"the {self.adjective} {self.noun}"

    @property
    def adjective_color(self) -> str:
        return self.adjective if self.adjective in words.COLORS else "bright"


@dataclass(frozen=True, slots=True)
class Place:
    """A place with the preposition for being there."""

    noun: str
    preposition: str

    @property
    def the(self) -> str:
        return f"the {self.noun}"

    @property
    def at(self) -> str:
        return f"{self.preposition} the {self.noun}"

    @property
    def to(self) -> str:
        return f"to the {self.noun}"


def child(rng: random.Random, taken: frozenset[str], female: bool) -> Character:
    """A named girl or boy whose name is not in `taken`."""
    names = words.GIRLS if female else words.BOYS
    name = rng.choice([n for n in names if n not in taken])
    kind = "girl" if female else "boy"
    trait = rng.choice(words.TRAITS)
    look = rng.choice((*words.LOOKS, trait, trait))
    naming = rng.choice(("named", "named", "called"))
    return Character(name, f"a {look} {kind} {naming} {name}", name, kind, trait, female)


def animal(rng: random.Random, taken: frozenset[str], female: bool) -> Character:
    """An animal, named or known by its kind, of a kind that is not in `taken`."""
    kind = rng.choice([k for k in words.ANIMALS if k not in taken])
    trait = rng.choice(words.TRAITS)
    look = rng.choice((*words.FUR, trait, trait))
    if rng.random() < 0.6:
        pool = words.PET_NAMES if rng.random() < 0.6 else (words.GIRLS if female else words.BOYS)
        name = rng.choice([n for n in pool if n not in taken])
        naming = rng.choice(("named", "named", "called"))
        return Character(name, f"a {look} {kind} {naming} {name}", name, kind, trait, female)
    return Character(f"the {kind}", f"a {look} {kind}", kind.capitalize(), kind, trait, female)


def elder(rng: random.Random, hero: Character) -> Character:
    """A grown-up of the hero's: a relative, or (for children) a named one."""
    female = rng.random() < 0.55
    if hero.kind in ("girl", "boy") and rng.random() < 0.35:
        title, names = ("Aunt", words.GIRLS) if female else ("Uncle", words.BOYS)
        name = f"{title} {rng.choice([n for n in names if n != hero.name])}"
        return Character(name, name, name, "elder", "kind", female)
    role, call = rng.choice(
        (("mother", "Mom"), ("mother", "Mama"), ("grandmother", "Grandma"))
        if female
        else (("father", "Dad"), ("father", "Papa"), ("grandfather", "Grandpa"))
    )
    name = f"{hero.his} {role}"
    return Character(name, name, call, "elder", "kind", female)


def thing(rng: random.Random, category: str) -> Thing:
    """A thing of a category of `words.THINGS`, with a color or another adjective."""
    noun = rng.choice(words.THINGS[category])
    adjective = rng.choice(words.COLORS if rng.random() < 0.6 else words.SIZES)
    return Thing(adjective, noun)


def place(rng: random.Random, hero: Character) -> Place:
    """A place that suits a child or an animal."""
    places = words.CHILD_PLACES if hero.kind in ("girl", "boy") else words.WILD_PLACES
    return Place(*rng.choice(places))
