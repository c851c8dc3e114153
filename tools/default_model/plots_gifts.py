"""Plots about what one does with things for others: sharing, making, giving."""

from __future__ import annotations

from grammar import Beat, maybe, say

SHARE: tuple[Beat, ...] = (
    say(
        "{h.name} had {t.a}. It was brand new, and {h.he} [was very proud of it|liked it a lot].",
        "For {h.his} birthday, {h.name} got {t.a} from {o.name}.",
    ),
    say(
        "{f.Name} saw it and asked, \"[Can I play with your {t.noun}|May I try your {t.noun}|Can I use the "
        "{t.noun} too]?\"",
        "{f.Name} came to play. \"What a nice {t.noun}!\" {f.he} said. \"Can I have a turn?\"",
    ),
    say(
        "\"No!\" said {h.name}. \"It is mine!\" {f.Name} [was sad|looked at the ground|felt hurt] and went "
        "away.",
        "{h.name} did not want to share. \"[It is my {t.noun}|You can't have it|Find your own {t.noun}],\" "
        "{h.he} said. {f.name} [walked away|went home] [slowly|sadly].",
    ),
    say(
        "{h.name} played alone, but it was [no fun|not much fun|boring]. The {t.noun} was not so nice "
        "anymore.",
        "Then {h.name} was all alone with the {t.noun}. {h.he} [felt lonely|had nobody to laugh with].",
    ),
    maybe(
        "{o.Name} saw this and said, \"A thing is more fun when you share it.\"",
        "\"Why is {f.name} so sad?\" asked {o.name}. {h.name} [did not answer|looked at {h.his} feet].",
        "{h.name} thought about {f.name}. \"I was not nice,\" {h.he} said [softly|to {h.self}].",
    ),
    say(
        "So {h.name} ran after {f.name}. \"I am sorry,\" {h.he} said. \"[Let us share|Let us play "
        "together|You can have the first turn].\"",
        "{h.name} went to find {f.name} {p.at}. \"I am sorry I was mean,\" {h.he} said. \"Do you want to "
        "play with my {t.noun}?\"",
    ),
    say(
        "{f.Name} smiled. \"Yes, [please|I would love to]!\" Then they took turns with the {t.noun} [all "
        "day|until dinner|until it was dark].",
        "{f.Name} was happy again. They played with the {t.noun} together, and they laughed and laughed.",
        "\"Thank you,\" said {f.name}. First {f.name} had a turn, then {h.name}, then {f.name} again.",
    ),
    maybe(
        "\"Sharing is [fun|better],\" said {h.name}.",
        "{h.name} learned that a friend is worth more than a {t.noun}.",
        "Later {f.name} brought {food}, and they shared that, too.",
    ),
)

MAKE: tuple[Beat, ...] = (
    say(
        "{h.name} wanted to make {t.a}. {h.he} had [dreamed|thought] about it for a [week|long time].",
        "One day {h.name} had an idea. \"I will build {t.a}!\" {h.he} said.",
        "\"What can we do today?\" asked {f.name}. \"Let us make {t.a},\" said {h.name}.",
    ),
    say(
        "{h.he} got [some wood|some paper|an old box|a long string], [some glue|some rope|a hammer|some "
        "cloth], and a [brush|stick|needle|pot of paint].",
        "First {h.he} looked for the things {h.he} needed. {h.he} found [boards|sticks|paper] {p.at}.",
        "They needed three things: [wood|paper|string], [paint|glue|nails], and a lot of time.",
    ),
    say(
        "{h.he} worked [all morning|very hard|for a long time], but the {t.noun} [fell down|fell apart|did "
        "not look right].",
        "It was harder than {h.he} thought. The first {t.noun} [broke in two|was too small|was too "
        "heavy|fell over].",
    ),
    maybe(
        "\"I can't do it,\" {h.name} said and kicked a [stone|stick].",
        "{h.name} wanted to give up.",
        "Some [children|birds|mice] laughed, and {h.name} felt [sad|small|angry].",
    ),
    say(
        "{f.Name} came over. \"Try again,\" {f.he} said. \"I will hold this side, and you hold that side.\"",
        "\"[Do not give up|You can do it],\" said {f.name}. \"Let me help you.\" [So they tried "
        "again.|Together it was much easier.]",
        "{o.Name} showed {h.him} how to do it, [step by step|slowly and carefully]. {h.name} "
        "[watched|listened] and tried again.",
    ),
    say(
        "They [painted|made] it {t.adjective_color} and put it {p.at}. It [was beautiful|looked "
        "wonderful|was just right]!",
        "When the sun went down, the {t.noun} was [finished|ready]. It was the best {t.noun} in the whole "
        "[town|valley|world].",
        "This time it worked! The {t.noun} stood {p.at}, and [everyone came to see it|it did not fall].",
    ),
    say(
        "\"We did it!\" {h.name} and {f.name} [shouted|cheered|sang].",
        "{h.name} was so proud. \"I made it with my friend,\" {h.he} told everyone.",
        "\"Look what we made!\" {h.name} called. {o.Name} clapped {o.his} hands.",
    ),
)

GIFT: tuple[Beat, ...] = (
    say(
        "[Tomorrow was|It was almost] {o.name_his} birthday. {h.name} wanted to give {o.him} [something "
        "special|a gift].",
        "{o.Name} had been [sick|sad|very busy] all week, and {h.name} wanted to make {o.him} happy.",
    ),
    say(
        "But {h.name} had no money. [{h.he} had only one coin.|{h.his} pockets were empty.|\"What can I "
        "do?\" {h.he} asked.]",
        "{h.he} went {p.to}, but {h.he} could not find [the right thing|anything good].",
        "\"What would {o.call} like?\" {h.he} asked {f.name}. They thought and thought.",
    ),
    say(
        "\"You can make something,\" said {f.name}. So {h.name} began to make {t.a}.",
        "Then {h.he} had an idea. {h.he} would make {t.a} all by {h.self}.",
        "{f.Name} had an old {t.noun}. \"We can make it [pretty|new] again,\" said {f.name}. They made it "
        "clean and {t.adjective_color}.",
    ),
    say(
        "{h.he} worked [in secret|every night|late into the night] and hid it [under the bed|in the "
        "barn|behind the door].",
        "It took [all day|{n} days|a long time], but {h.he} did not stop.",
    ),
    say(
        "[In the morning|At last|On the big day], {h.name} gave {o.name} the {t.noun}. \"I made it for "
        "you,\" {h.he} said.",
        "{o.Name} opened the [box|bag|paper] and saw the {t.noun}. [{o.his} eyes grew big.|{o.he} could not "
        "speak for a moment.]",
    ),
    say(
        "\"It is the best gift I ever got,\" said {o.name} and hugged {h.him}.",
        "{o.Name} [laughed and cried at the same time|was so happy]. \"Thank you, my dear,\" {o.he} said.",
        "\"You made this for me?\" asked {o.name}. \"I will keep it forever.\"",
    ),
    maybe(
        "They ate {food2} and sang [a song|songs] together.",
        "{h.name} learned that a gift from the heart is the best gift.",
    ),
)

PLOTS = (("share", "shared", SHARE), ("make", "made", MAKE), ("gift", "gift", GIFT))
