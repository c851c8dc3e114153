"""Short pieces that are no stories: greetings, people speaking of themselves, days, lists, letters, scenes."""

from __future__ import annotations

from grammar import Beat, maybe, say

ME: tuple[Beat, ...] = (
    say(
        "[Hello|Hi|Hello there|Good morning|Hey]! My name is {h.call}, and I am {age} years old.",
        "[Hello|Hi], I am {h.call}. [How are you?|What is your name?|Nice to meet you!] I am {age} years "
        "old.",
        "My name is {h.call}. I am {age} years old[| and I like {food}].",
        "I am {h.call}. [Today|Right now|Now] I am {p.at}.",
        "I have {t.a}. {o.call} gave it to me [last {season}|on my birthday|when I was {age}].",
        "I [like|love|want] to {skill}. [It is not easy.|It makes me happy.|My friend {f.call} likes it, "
        "too.]",
        "I [am|try to be] very {trait} [today|at school|when I play with {f.call}].",
    ),
    say(
        "I live in a [small|big|blue|white] house [near|by] the {near} with my [mother|father|grandmother] "
        "and my [little|big] [brother|sister].",
        "My best friend is {f.call}. We [play|walk|read|sing] together {p.at}.",
        "I have a {small}. [Its name is|It is called] {pet}. It is [small|brown|very funny] and likes "
        "{food}.",
        "We live near the {near}. From my window, I can see the [hills|trees|river|stars].",
    ),
    say(
        "On {weekday}, I go {p.to}. I take {food} and {t.a} with me.",
        "My favorite color is {color}. My favorite food is {food}.",
        "In {season}, I like to [swim|run|read|play in the snow|pick flowers] with {f.call}.",
        "I am a little afraid of {fear}, but {o.call} says that I am brave.",
        "When I am big, I want to be a {job}.",
    ),
    maybe("What do you like?", "Do you want to be my friend?", "That is all about me.", "Now you know me.",
          "I hope we can play soon.", "Goodbye, and come back soon!"),
)

SCENE: tuple[Beat, ...] = (
    say(
        "The sun [is shining|was shining|came up|went down] over the [hills|sea|town|trees].",
        "The sun is [warm|bright|high in the sky] today. The [sky|sea] is blue.",
        "The moon is [round|bright] tonight. The stars [shine|look down].",
        "The [cat|dog|bird|baby|old man|little girl|king|queen|teacher|boat|train] is [here|very quiet|late "
        "today|happy].",
        "The rain [is falling|fell] on the [roof|grass|street]. Drip, drop, drip, drop.",
        "A {small} [sat|was sitting|slept] {p.at}. It was a {w} {time}.",
        "A [big|little|{color}] [bird|boat|train|balloon|leaf|fish] [went by|came along|passed by].",
        "In the [morning|evening|middle of the night], the [house|street|town|forest] was very quiet.",
        "It is {weekday} [morning|evening], and {wnow}.",
        "There is a [big|old|small] [tree|house|bridge|well] {p.at}.",
    ),
    say(
        "The [birds|children|bees|frogs] are [singing|busy|awake]. The [wind|grass|water] is "
        "[soft|cool|still].",
        "A {small} looks up at the sky. \"What a {w} day!\" it says.",
        "{h.name} sees it and [smiles|stops|waves]. \"[How nice|How lovely|Look at that],\" {h.he} says.",
        "Everyone comes out to look. {f.name} is there, and {h.name}, too.",
    ),
    say(
        "There are {n} [ducks|boats|flowers|balloons|apples|birds] {p.at}, and one of them is {color}.",
        "{h.name} has {t.a}. {h.he} gives it to {f.name}, and they play together.",
        "\"Shall we go {p.to}?\" asks {f.name}. \"Yes, let us go,\" says {h.name}.",
        "It smells of [flowers|bread|rain|the sea|apples].",
    ),
    maybe("It is a good day.", "Then it is time to go home.", "Nobody wants to go home.", "Soon it will be {season}."),
)

SAID: tuple[Beat, ...] = (
    say(
        "She said, \"[I will be back soon|Look at the {near}|It is getting late].\"",
        "She said that [it was late|the {t.noun} was lost|{f.name} was coming|the {near} was far away].",
        "He said, \"[I have an idea|Come with me|I can't find my {t.noun}].\"",
        "He said that [he was tired|the {t.noun} was new|it would snow|dinner was ready].",
        "They said, \"[We are ready|Let us go {p.to}|We want to play].\"",
        "\"Where are you going?\" asked {f.name}. \"I am going {p.to},\" said {h.name}.",
        "\"What is that?\" asked {h.name}. \"It is {t.a},\" said {f.name}.",
        "\"Who are you?\" asked {h.name}. \"I am {f.call},\" said {f.name}.",
        "\"Why are you sad?\" asked {f.name}. \"I lost my {t.noun},\" said {h.name}.",
        "What [is|was] the best day of the year? {h.name} asked everyone {p.at}.",
        "Why is the sky blue? {h.name} wanted to know it, so {h.he} asked {o.name}.",
        "How do you {skill}? {h.name} wanted to know it, so {h.he} asked {f.name}.",
        "We went {p.to} [on {weekday}|last {season}|yesterday]. It was a {w} {time}.",
        "You should have seen {h.name} that day! {h.he} was so happy.",
        "If you go {p.to}, you may see {h.name} with {h.his} {t.bare}.",
        "But {h.name} did not listen. {h.he} went {p.to} alone.",
        "Please come in. {h.name} is waiting for you, and {f.name} is here, too.",
    ),
    say(
        "{h.name} [nodded|smiled|laughed|thought about it]. \"[Yes|All right|That is good],\" {h.he} said.",
        "Everyone was [quiet|surprised] for a moment. Then {f.name} [laughed|began to sing|clapped].",
        "{h.name} did not know what to say. {h.he} looked at {f.name}.",
    ),
    say(
        "Then they [went|walked|ran] {p2.to} and [ate {food}|played with {t.the}|looked at the {near}].",
        "{o.name} gave them {food}, and they sat {p2.at} for a long time.",
        "\"Let us do it together,\" said {f.name}. And so they did.",
    ),
    maybe("It was a {w} {time}, and everyone was happy.", "\"See you on {weekday},\" said {f.name}.",
          "{h.name} never forgot it."),
)

LIST: tuple[Beat, ...] = (
    say(
        "{h.name} made a list for {weekday}:\n1. Go {p.to}.\n2. Find {t.the}.\n3. Eat {food}.\n4. Visit "
        "{f.name}.\n",
        "Things to buy at the market:\n- {food}\n- {food2}\n- {t.a}\n- {q.a}\n",
        "How to {skill}:\n1. Take a deep breath.\n2. Start slowly.\n3. Try again.\n4. Have fun with "
        "{f.call}.\n",
        "One, two, three, four, five. {h.name} can count to ten. Six, seven, eight, nine, ten!",
        "One {color} {q.noun}, two {smalls}, three [apples|eggs|pears]: {h.name} counted everything {p.at}.",
        "{h.name} had {n} coins. {h.he} gave one coin to {f.name} for {t.a}.",
        "Dear {o.call},\nI am {p.at}. {wnow_cap}. I have {t.a} and I eat {food} every day. I miss "
        "you!\nLove,\n{h.call}\n",
        "Dear {f.call},\nhow are you? I am well. Do you still have {t.the}? Please come and visit me in "
        "{season}.\nYour friend,\n{h.call}\n",
    ),
    say(
        "{h.name} [smiled|nodded|was ready]. Then {h.he} [put on a coat|took a bag] and went {p.to}.",
        "{f.name} looked at it. \"That is a lot!\" said {f.name}. \"We can do it together,\" said {h.name}.",
        "It was a {w} {time}, and there was a lot to do.",
    ),
    maybe(
        "In the evening, everything was done.",
        "{o.name} was very proud of {h.name}.",
        "\"Next time, I will help you,\" said {f.name}.",
    ),
)

PIECES = (ME, SCENE, SAID, LIST)
