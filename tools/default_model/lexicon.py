"""Common words by kind, and the beats that use them: what is seen, said and done beside the plot."""

from __future__ import annotations

import random

from grammar import Beat, maybe, say

NOUNS = tuple(
    "airplane anchor ant apron arrow ax bag bagel balloon bandage banner barrel bat bath beak bean bed bee beetle "
    "bench berry bicycle blackboard blossom board boot bottle bowl branch brick broom brush bubble bucket bug bus "
    "bush butterfly cabin cage camel camera camp candle cannon canoe captain car card carpet carriage cart castle "
    "caterpillar ceiling chain chalkboard cherry chest chicken chimney circus clown cloud clover coat coconut comb "
    "compass corner cow crab cradle crane crayon crown cupboard curtain cushion desk diamond dinosaur dish dragon "
    "dress dresser duckling eagle ear elephant engine envelope fan fairy feather fence fern finger fire fish flag "
    "flute fly footprint fork fountain frame gate ghost giant giraffe glass globe glove goose grape grasshopper "
    "guitar hammer hammock hand harbor hawk helmet hippo hook horn horse hose hotel insect iron island jacket jewel "
    "jungle kangaroo kettle king kingdom knight knife ladder ladybug lamp lawn leaf lemon letter lighthouse lion "
    "lizard lobster lock log lollipop machine magnet mailbox map mask mattress medal melon mill monster moon moth "
    "motor mountain mushroom nail napkin necklace needle nest net newspaper notebook nurse nut oar ocean office "
    "onion orange ostrich oven owl ox page painting palace pan panda parade parrot path peach peanut pear pen pencil "
    "penguin pepper phone photo pillow pilot pin pinecone pine pirate pitcher plane planet plant plum pocket pole "
    "policeman potato present prince princess prize purse quilt rainbow raincoat rat raven rock rocket roof rooster "
    "root rug sail sailboat salad sandbox sandcastle sandal saw scale scarecrow seagull seal seat seesaw shadow "
    "shark sheep shelf ship shirt shoe shop shovel sink skate skirt skunk slide slipper snail snake snowball "
    "snowflake sock sofa soldier spider sponge squash stair stage stamp star statue steeple stool stork stove "
    "straw street suitcase swan sweater sword tail taxi teapot telescope temple tent throne ticket tiger tire toad "
    "tomato tooth torch towel tower tractor trail tray treasure triangle truck trumpet trunk tub tulip tunnel "
    "turkey turnip unicorn vest village violin waffle wall wallet walnut watch waterfall wave web well whale wheel "
    "whip wing witch wizard wolf worm yacht yard zebra zipper".split()
)
ADJECTIVES = tuple(
    "amazing ancient angry awful bald beautiful bent bitter broken bumpy busy charming cheap clean clumsy cold "
    "colorful cool crooked crowded curly cute damp dangerous dark dear deep delicious different dirty dry dusty "
    "easy elegant empty enormous famous fancy fast fat fine flat fragile fresh frozen full furry fuzzy gentle giant "
    "gigantic glowing good grand great greedy grumpy handsome hard heavy hidden hollow huge hungry icy jolly juicy "
    "large lazy light lonely long loose loud lovely lucky magic mighty modern muddy mysterious narrow neat noisy "
    "odd ordinary pale perfect plain pleasant poor powerful precious proper proud purple quick rare rich ripe rough "
    "round royal rusty salty scary sharp silent silly simple sleepy slippery slow smooth sour sparkling square "
    "sticky stormy strange strong stubborn sweet tall tasty thick thin tired torn tough twisted ugly unusual "
    "useful valuable warm weak wet wide wild wise wonderful wooden worn young".split()
)
DEEDS = tuple(
    "admired borrowed brushed carried chased cleaned collected copied counted covered decorated delivered described "
    "discovered drew dropped examined explored fixed followed found hid imagined lifted liked measured mended "
    "noticed opened packed painted picked polished pulled pushed repaired returned saved sketched sold touched "
    "traded visited washed watched wiped wrapped".split()
)
MANNERS = tuple(
    "bravely calmly carefully cheerfully eagerly easily gently gladly happily kindly loudly neatly nicely nervously "
    "patiently politely proudly quickly quietly sadly safely secretly seriously silently slowly softly suddenly "
    "sweetly warmly wisely".split()
)
BODY = tuple("arm leg foot hand nose ear tail head back knee chin tooth finger toe belly neck".split())
LESSONS = tuple(
    "numbers letters colors shapes music history planets animals plants maps weather stories poems spelling "
    "science dancing cooking gardening manners safety".split()
)

_ES = ("s", "x", "ch", "sh")
_IRREGULAR = {
    "goose": "geese", "ox": "oxen", "tooth": "teeth", "leaf": "leaves", "knife": "knives", "wolf": "wolves",
    "shelf": "shelves", "sheep": "sheep", "fish": "fish", "policeman": "policemen", "tomato": "tomatoes",
    "potato": "potatoes", "volcano": "volcanoes", "scarf": "scarves",
}


def plural(noun: str) -> str:
    """The plural of a noun of `NOUNS`."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith(_ES):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def draw_lexicon(rng: random.Random) -> dict[str, str]:
    """Slots x, y, z (a noun with an adjective, without article), their plurals, deeds and manners."""
    nouns = rng.sample(NOUNS, 3)
    adjectives = rng.sample(ADJECTIVES, 4)
    slots = {slot: f"{a} {n}" for slot, a, n in zip("xyz", adjectives, nouns, strict=False)}
    slots |= {f"{slot}noun": noun for slot, noun in zip("xyz", nouns, strict=True)}
    slots |= {f"{slot}s": plural(noun) for slot, noun in zip("xyz", nouns, strict=True)}
    return slots | {
        "adj": adjectives[3], "deed": rng.choice(DEEDS), "manner": rng.choice(MANNERS),
        "body": rng.choice(BODY), "lesson": rng.choice(LESSONS),
    }


SIGHT: Beat = Beat(
    (
        "On the way, {h.he} saw a {x}[| and a {y}].",
        "Not far away was a {x}[, and next to it was a {y}|].",
        "That {time}, {h.name} {deed} a {x}.",
        "{h.name} {manner} {deed} a {x}.",
        "There were {n} {xs} {p.at}, and one was very {adj}.",
        "{f.name} had a {x} and {n} {ys}.",
        "\"Look at that {x}!\" {f.name} said. \"It is so {adj}.\"",
        "[Once|Before that], {h.name} had {deed} a {xnoun}, but never a {y}.",
        "In a corner stood a {x}.",
        "{h.name} had a picture of a {x} on {h.his} wall.",
        "A {small} with a {x} went by. How {adj} it was!",
        "{h.name} [dreamed|thought] of a {x} and many {ys}.",
        "{h.he} wore a coat with {xs} on it.",
    ),
    0.4,
)

NOTES: tuple[Beat, ...] = (
    say(
        "A {xnoun} is [{adj}|very {adj}|not always {adj}]. [A {ynoun} is different.|Everyone knows that.|But this one was not.]",
        "The {x} [stood|was] {p.at}. It was very {adj}.",
        "The {xnoun} was {adj}, and the {ynoun} was [even more so|not].",
        "I {deed} a {x} {p.at}. [It was {adj}.|Then I {deed} a {y}.|]",
        "We {deed} the {x} [on {weekday}|together|last {season}].",
        "There is a {x} {p.at}. [Have you seen it?|It looks {adj}.|It has been there for {n} years.]",
        "There was once a {x}. It stood {p.at}, and nobody knew why.",
        "What is a {xnoun}? {h.name} asked everyone, but nobody could say it well.",
        "My {xnoun} is {adj}. [Is your {xnoun} {adj}, too?|{f.call} has a {y}.]",
        "Today we learned about {lesson}. {o.name} told us about {xs} and {ys}.",
        "This is the {x} of {h.name}. It is {adj}.",
        "It was the most {adj} {xnoun} that {h.name} had ever seen.",
        "Some {xs} are {adj}, and some are not. {h.name} had {n} of them.",
        "The [king|queen|captain|teacher|{job}|old woman|old man] {manner} {deed} the {x}.",
        "An old man had a {x}, a {y}, and a {z}.",
        "\"A {xnoun}!\" shouted {f.name}. \"And it is {adj}!\"",
    ),
    say(
        "One {time}, {h.name} {deed} it {manner}. \"[What a {adj} day|This is for {o.call}|It is mine now],\" {h.he} said.",
        "{h.name} came by and {manner} asked, \"Is this your {xnoun}?\" \"Yes,\" said {f.name}. \"I {deed} it {p.at}.\"",
        "Then a {small} came and sat down on the {xnoun}. Everyone laughed.",
        "{h.name} hurt {h.his} {body}, but {f.name} helped {h.him} {manner}.",
        "{h.name} wanted to have one, too. {h.he} went {p.to} with {f.name} and found a {y}.",
        "Next to it was a {y}. {h.name} {deed} it {manner} and gave it to {f.name}.",
    ),
    say(
        "In the {time}, they all [went|walked] home with the {xnoun}. It was {weekday}.",
        "\"I like it,\" said {f.name}, and {f.he} {manner} gave {h.name} {food}.",
        "And that is all there is to say about the {x}.",
        "After that, there were {n} {ys} and a {z} {p2.at}, too.",
        "It was a {w} {time}, and {h.name} felt [happy|calm|proud|brave|glad|sleepy|thankful|curious].",
    ),
    maybe("\"Let us do that again,\" said {h.name}.", "It was a {adj} day.", "Nobody ever {deed} it again."),
)
