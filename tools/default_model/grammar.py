"""The template language: choices in brackets, slots in braces, articles and capitals set right at the end."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiAEI]|[oO](?!ne\b)|[uU](?!se|ni)|hour|honest)")
_SENTENCE = re.compile(r'(^|[.!?] |\n|\.\" |(?:^| |\n)")([a-z])')
_SPACES = re.compile(r" {2,}")


@dataclass(frozen=True, slots=True)
class Beat:
    """One moment of a story: alternative templates, and how likely it is told at all."""

    templates: tuple[str, ...]
    chance: float


def listed(text: str) -> tuple[str, ...]:
    """The words of a text; an underscore joins the words of one entry."""
    return tuple(word.replace("_", " ") for word in text.split())


def say(*templates: str) -> Beat:
    """A beat that is always told."""
    return Beat(templates, 1.0)


def maybe(*templates: str) -> Beat:
    """A beat that is told in about half of the stories."""
    return Beat(templates, 0.55)


def expand(template: str, rng: random.Random, slots: Mapping[str, object]) -> str:
    """Draw every [a|b] choice, innermost first, then fill every {slot}."""
    while "[" in template:
        template = _CHOICE.sub(lambda match: rng.choice(match.group(1).split("|")), template)
    return template.format_map(slots)


def polish(text: str) -> str:
    """Set a/an by the next letter, capitals at starts of sentences and speech, and single spaces."""
    text = _SPACES.sub(" ", text).strip(" ")
    text = _ARTICLE.sub(lambda match: match.group(1) + "n ", text)
    return _SENTENCE.sub(lambda match: match.group(1) + match.group(2).upper(), text)


def tell(beats: tuple[Beat, ...], rng: random.Random, slots: Mapping[str, object]) -> list[str]:
    """The sentences of those beats that are told, one string a beat."""
    told = []
    for beat in beats:
        if beat.chance >= 1.0 or rng.random() < beat.chance:
            told.append(polish(expand(rng.choice(beat.templates), rng, slots)))
    return told
