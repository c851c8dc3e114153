"""Common words by kind, and the beats that use them: what is seen, said and done beside the plot."""

from __future__ import annotations

import random

from grammar import Beat, listed, maybe, say

OBJECTS = listed(
    "anchor apron arrow ax bag balloon bandage banner barrel basket bat bead bell belt blackboard blanket boot "
    "bottle bowl box bracelet brick broom brush bucket button cage camera candle card cart chain chest clock "
    "coat coconut coin comb compass cradle crayon crown cup cupboard cushion diamond dish doll dress dresser drum "
    "envelope fan feather flag flute fork frame glass globe glove guitar hammer hammock hat helmet hook horn hose "
    "iron jacket jar jewel jug kettle key kite knife ladder lamp lantern letter lock log mailbox map marble mask "
    "mattress medal mirror mitten nail napkin necklace needle net newspaper notebook oar page painting pan pen "
    "pencil photo picture pillow pin pinecone pitcher plate postcard pot purse puzzle quilt raincoat ribbon ring "
    "robot rope rug sail sandal saw scarf seat shell shirt shoe shovel skate sled slipper sock sofa spoon sponge "
    "stamp stick stone stool suitcase sweater sword table tambourine teacup teapot telescope tent ticket tool torch "
    "towel toy tray triangle trophy trumpet trunk tub umbrella vase vest violin wagon wallet watch wheel whistle "
    "ball top zipper")
OBJECT_LOOKS = listed(
    "amazing ancient beautiful big blue bright broken brown charming cheap clean colorful cute dirty dusty elegant "
    "expensive fancy fine funny golden good green handmade handsome large little lost lovely magic modern new nice "
    "odd old orange ordinary painted perfect pink plain precious pretty purple red shiny silver simple small "
    "special strange striped strong tiny unusual used useful valuable white wonderful yellow")
CREATURES = listed(
    "ant bat bear beaver bee beetle bird bug butterfly camel cat caterpillar cow crab cricket crow deer dog dolphin "
    "donkey dove dragonfly duck eagle elephant falcon firefly fish flamingo fly frog giraffe goat goldfish goose "
    "gorilla grasshopper hamster hawk hedgehog heron hippo horse kangaroo kitten ladybug lamb leopard lion lizard "
    "llama lobster mole monkey moose moth mouse octopus ostrich otter owl ox panda parrot peacock pelican penguin "
    "pig pigeon pony puppy rabbit raven robin rooster salamander seagull seal shark sheep skunk snail snake sparrow "
    "spider squirrel stork swallow swan tiger toad turkey turtle walrus whale wolf woodpecker worm zebra")
CREATURE_LOOKS = listed(
    "angry beautiful big black brave brown busy calm careful cheerful clever clumsy curious cute fast fat fluffy "
    "friendly funny furry gentle gray greedy grumpy happy huge hungry jolly kind large lazy little lively lonely "
    "loud mighty noisy nosy old patient playful polite proud quick quiet sad shy silent silly sleepy slow small "
    "smart spotted striped strong stubborn tame tiny tired white wild wise young")
SIGHTS = listed(
    "airplane ambulance bakery balcony bicycle bridge bus cabin camp canoe carriage castle cathedral cave chimney "
    "church circus cottage fence ferry field fire_engine fountain garage garden gate harbor hospital hotel house "
    "island lighthouse meadow mill mine monument mountain museum nest office orchard palace parade path pier pond "
    "pool rainbow railway rock rocket sailboat sandcastle scarecrow school seesaw ship shop slide spaceship stable "
    "stage staircase statue submarine swamp taxi temple theater tower tractor train tree truck tunnel valley "
    "village volcano wall waterfall well windmill yacht")
SIGHT_LOOKS = listed(
    "amazing ancient beautiful big bright colorful crowded dark deep empty enormous famous foreign gigantic grand "
    "gray great hidden high huge large little long lonely lovely mysterious narrow new noisy old peaceful quiet "
    "round royal small splendid steep strange tall tiny unknown wide wonderful")
PEOPLE = listed(
    "actor artist baker captain carpenter clown cook cowboy dancer dentist doctor driver explorer farmer firefighter "
    "fisherman gardener guard hunter inventor judge juggler king knight lady librarian magician mailman mayor "
    "merchant musician neighbor nurse painter pilot pirate policeman prince princess queen sailor scientist "
    "shepherd singer soldier tailor teacher traveler waiter witch wizard woodcutter writer")
PEOPLE_LOOKS = listed(
    "angry brave busy careful cheerful clever elegant famous friendly funny generous gentle grumpy happy honest "
    "hungry jolly kind lonely lucky nervous noble old patient polite poor proud quiet rich serious shy sleepy "
    "strong tall thankful tired wise worried young")
GROCERIES = listed(
    "apple apricot bagel banana bean berry biscuit bun cabbage carrot cherry chestnut coconut cookie cucumber "
    "cupcake dumpling egg fig grape hazelnut lemon lime mango melon muffin mushroom nut olive onion orange pancake "
    "peach peanut pear pepper pickle pie pineapple plum potato pretzel pumpkin radish raspberry sandwich sausage "
    "strawberry tangerine tomato turnip waffle walnut watermelon")
GROCERY_LOOKS = listed(
    "big brown cheap cold crunchy delicious fine fresh good green juicy large little perfect ripe round salty small "
    "soft sour spicy sticky sweet tasty warm wonderful yellow")
DEEDS = listed(
    "admired borrowed bought brushed carried cleaned collected copied counted decorated described discovered drew "
    "dropped examined explored fixed forgot found hid imagined lost measured mended missed needed noticed opened "
    "packed painted picked_up polished remembered repaired saved shared sketched sold touched traded used wanted "
    "washed watched wrapped")
MANNERS = listed(
    "bravely calmly carefully cheerfully eagerly gently gladly happily kindly loudly nervously patiently politely "
    "proudly quickly quietly sadly secretly silently slowly softly sweetly warmly wisely")
BODY = listed("arm leg foot hand nose ear tail head back knee chin finger toe neck shoulder elbow")
LESSONS = listed(
    "numbers letters colors shapes music history planets animals plants maps weather stories poems spelling "
    "science dancing cooking gardening manners safety countries oceans machines insects medicine money")
FEELINGS = listed("happy calm proud brave glad sleepy thankful curious content hopeful excited peaceful")

_GROUPS = {
    "x": (OBJECTS, OBJECT_LOOKS), "y": (OBJECTS, OBJECT_LOOKS), "c": (CREATURES, CREATURE_LOOKS),
    "b": (SIGHTS, SIGHT_LOOKS), "e": (PEOPLE, PEOPLE_LOOKS), "g": (GROCERIES, GROCERY_LOOKS),
}
_ES = ("s", "x", "ch", "sh")
_IRREGULAR = {
    "goose": "geese", "ox": "oxen", "mouse": "mice", "knife": "knives", "wolf": "wolves", "sheep": "sheep",
    "fish": "fish", "goldfish": "goldfish", "deer": "deer", "moose": "moose", "tomato": "tomatoes",
    "potato": "potatoes", "mango": "mangoes", "scarf": "scarves", "policeman": "policemen",
    "fisherman": "fishermen", "mailman": "mailmen",
    "volcano": "volcanoes",
}


def plural(noun: str) -> str:
    """The plural of a noun of this page."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    if noun.endswith(_ES):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def draw_lexicon(rng: random.Random) -> dict[str, str]:
    """Words beside the plot.

    For each letter of `_GROUPS`: {x} noun with an adjective (no article), {xnoun} the noun alone, {xs} its
    plural, {xadj} another adjective that suits it. The nouns of one draw are all different.
    """
    slots: dict[str, str] = {}
    used: set[str] = set()
    for letter, (nouns, looks) in _GROUPS.items():
        noun = rng.choice([n for n in nouns if n not in used])
        used.add(noun)
        look, other = rng.sample(looks, 2)
        slots |= {letter: f"{look} {noun}", f"{letter}noun": noun}
        slots |= {f"{letter}s": plural(noun), f"{letter}adj": other}
    return slots | {
        "deed": rng.choice(DEEDS), "manner": rng.choice(MANNERS), "body": rng.choice(BODY),
        "lesson": rng.choice(LESSONS), "feeling": rng.choice(FEELINGS),
    }


SIGHT: Beat = Beat(
    (
        "That {time}, {h.he} had seen a {x}[ and a {y}| next to a {b}|].",
        "Not far away was a {b}[, and in front of it stood a {e}|].",
        "The day before, {h.name} {deed} a {x}.",
        "There were {n} {cs} near the {b}, and one was very {cadj}.",
        "{h.name} had a {x} and {n} {ys}.",
        "\"Did you see the {c}?\" {h.name} had asked a {e}. \"It was so {cadj}!\"",
        "In {h.his} room stood a {x}[, and beside it was a {y}|].",
        "{h.name} had a picture of a {c} on {h.his} wall.",
        "A {e} with a {x} [went by|waved at {h.him}|stood near the {b}].",
        "A {c} [sat|slept|was resting] near the {b}.",
        "{h.name} [dreamed|thought] of a {b} and many {cs}.",
        "{h.he} had a {g} in {h.his} bag[ and a {x} in {h.his} hand|].",
        "{h.his} favorite animal was the {cnoun}.",
        "{h.his} neighbor was a {e}, who had a {c}.",
    ),
    0.4,
)

NOTES: tuple[Beat, ...] = (
    say(
        "A {cnoun} can be {cadj}. [A {enoun} can be {eadj}, too.|Everyone knows that.|But this one was not.]",
        "The {x} [stood|was] {p.at}. It looked very {xadj}.",
        "The {cnoun} was {cadj}, and the {enoun} was {eadj}.",
        "I {deed} a {x} {p.at}. [It was {xadj}.|I gave it to a {e}.|]",
        "We saw a {b} [on {weekday}|last {season}|far away]. [It was {badj}.|A {c} was there, too.|]",
        "There is a {b} {p.at}. [Have you seen it?|It looks {badj}.|It has been there for {n} years.]",
        "There was once a {e} who had a {c}. [They lived near a {b}.|Nobody knew why.]",
        "What is a {xnoun}? {h.name} asked everyone, even the {e}.",
        "My {xnoun} is {xadj}. [Is your {xnoun} {xadj}, too?|{f.call} has a {y}.]",
        "Today we learned about {lesson}. {o.call} told us about {cs} and {bs}.",
        "This is the {x} of {h.name}. It is {xadj}.",
        "It was the most {xadj} {xnoun} that {h.name} had ever seen.",
        "Some {cs} are {cadj}, and some are not. {h.name} knew {n} of them.",
        "The {enoun} {manner} {deed} the {x}.",
        "The {e} had a {x}, a {y}, and a {g}.",
        "\"A {c}!\" shouted {f.name}. \"And it looks so {cadj}!\"",
        "The {c} [lived|slept|was hiding] near a {b}.",
        "The {g} [lay|was] on the table. It smelled good.",
        "I am a {e}. I have a {x} and a {c}.",
        "The {e} [walked|came] {p.to} with a {c}.",
    ),
    say(
        "One {time}, {h.name} came with a {y}. \"[What a day|This is for {o.call}|It is mine now],\" {h.he} said.",
        "{h.name} came by and {manner} asked, \"Is this your {ynoun}?\" "
        "\"Yes,\" said {f.name}. \"I {deed} it {p.at}.\"",
        "Then a {small} came and sat down on a {xnoun}. Everyone laughed.",
        "{h.name} hurt {h.his} {body}, but {f.name} helped {h.him} {manner}.",
        "{h.name} wanted to see it, too. {h.he} went {p.to} with {f.name} and found a {y}.",
        "{h.name} {deed} a {y} and {manner} gave it to {f.name}.",
        "\"Where does it come from?\" asked {h.name}. \"From the {b},\" said {f.name}.",
    ),
    say(
        "Later, they all [went|walked] home past the {b}. It was {weekday}.",
        "\"I like it,\" said {f.name}, and {f.he} {manner} gave {h.name} {food}.",
        "And that is all there is to say about the {b}.",
        "After that, there were {n} {ys} and a {c} {p2.at}, too.",
        "It was a {w} {time}, and {h.name} felt {feeling}.",
        "They shared a {g}, and {h.name} felt {feeling}.",
    ),
    maybe("\"Let us do that again,\" said {h.name}.", "It was a good day.", "They told nobody but the {e}."),
)
