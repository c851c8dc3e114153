"""Plots about friends and feelings: fears, skills, quarrels, new friends, races and secrets."""

from __future__ import annotations

from grammar import Beat, maybe, say

SKILL: tuple[Beat, ...] = (
    say(
        "{h.name} wanted to learn to {skill}. [All {h.his} friends could do it.|{f.name} could do it very "
        "well.|{h.he} dreamed of it at night.]",
        "More than anything, {h.name} wanted to {skill}.",
        "One day, {h.name} saw {f.name} {skill}. \"I want to do that, too!\" {h.he} said.",
    ),
    say(
        "{h.he} tried [once|and tried], but it was [too hard|not easy]. \"I will never learn it,\" {h.he} "
        "said.",
        "The first time, it went wrong, and the second time, too. {h.name} [felt sad|was angry|sat down on "
        "the ground].",
        "\"It is too hard!\" {h.he} cried. [Somebody laughed at {h.him}.|{h.his} face turned red.|]",
    ),
    say(
        "\"I could not do it at first, either,\" said {f.name}. \"You have to [try every day|start "
        "slowly|believe in yourself].\"",
        "{o.Name} sat down next to {h.him}. \"Everything is hard before it is easy,\" {o.he} said.",
        "{f.Name} said, \"Watch me, and then do [it|the same] slowly.\"",
    ),
    say(
        "So {h.name} tried every day, in the [sun|morning] and in the [rain|evening].",
        "{h.he} practiced {p.at} for {n} days. Each day it got a little better.",
        "{h.name} [took a deep breath|closed {h.his} eyes for a moment] and tried again, and again, and "
        "again.",
    ),
    maybe(
        "Sometimes {h.he} [fell|made a mistake], but {h.he} [got up|laughed and went on].",
        "{f.name} came to help {h.him} each day after {meal}.",
    ),
    say(
        "Then, one {w} {time}, it worked! {h.name} could {skill}!",
        "And then it happened. \"Look at me!\" {h.he} shouted. \"I can {skill}!\"",
        "On {weekday}, {h.name} did it [for the first time|all by {h.self}]. Everyone clapped.",
    ),
    say(
        "\"I knew you could do it,\" said {o.name}.",
        "{f.Name} cheered. \"You see? You did not give up!\"",
        "{h.name} was so proud that {h.he} [danced around|jumped up and down|laughed out loud].",
    ),
    maybe("Now {h.name} shows the little ones how to {skill}.", "{h.he} learned that trying again is the secret."),
)

FEAR: tuple[Beat, ...] = (
    say(
        "{h.name} was afraid of {fear}. [Nobody knew it but {f.name}.|{h.he} did not tell anyone.|It made "
        "{h.him} feel small.]",
        "There was one thing that {h.name} did not like, and that was {fear}.",
    ),
    say(
        "One {time}, {f.name} said, \"Come with me {p.to}!\" But {h.name} [shook {h.his} head|stayed at the "
        "door]. \"I am afraid of {fear},\" {h.he} said.",
        "That {time}, {h.name} could not [sleep|play], because {h.he} was thinking of {fear}. {h.he} [hid "
        "under the blanket|called for {o.name}].",
    ),
    say(
        "\"Everyone is afraid sometimes,\" said {o.name}. \"[I was afraid of {fear}, too|It is okay to be "
        "scared|Being brave means to go on anyway].\"",
        "{o.Name} [took {h.his} hand|sat beside {h.him}] and said, \"[Let us go together|We will look at it "
        "together|I will stay with you].\"",
        "{f.Name} did not laugh. \"I am afraid sometimes, too,\" {f.he} said. \"We can be brave together.\"",
    ),
    maybe(
        "{o.name} gave {h.him} {t.a}. \"Hold it when you are scared,\" {o.he} said.",
        "They sang a little song to feel brave.",
        "{h.name} counted to {n} and took a deep breath.",
    ),
    say(
        "The next day, a small [bird|kitten|duckling] needed help. It was [stuck|lost and cold], and only "
        "{h.name} could reach it. {h.he} forgot about {fear} and went to help.",
        "Then {f.name} called for help {p.at}. {h.name} was scared, but {h.he} ran to {f.name} as fast as "
        "{h.he} could.",
        "Step by step, they went {p.to}. {h.his} legs shook, but {h.he} did not stop.",
    ),
    say(
        "When it was over, {h.name} was surprised. \"I was not afraid at all!\" {h.he} said.",
        "\"It was not so bad,\" {h.name} said and [smiled|laughed]. \"I did it!\"",
        "\"You were so brave!\" said {f.name}. {h.name} [smiled|stood tall].",
    ),
    maybe("Now {h.name} is not afraid of {fear} anymore.", "After that day, {h.he} felt [bigger|stronger|braver]."),
)

QUARREL: tuple[Beat, ...] = (
    say(
        "{h.name} and {f.name} were best friends. They did everything together.",
        "{h.name} and {f.name} played together [every day|after school|all summer].",
    ),
    say(
        "But one {time}, they both wanted {t.the}. \"I saw it first!\" said {h.name}. \"No, I did!\" said "
        "{f.name}.",
        "One day, they could not agree. {h.name} wanted to [go {p.to}|play with {t.the}], but {f.name} "
        "wanted to [stay home|look for shells|take a nap].",
        "Then {f.name} [lost|dropped] {h.name_his} {t.noun}. \"You never take care!\" said {h.name} in a "
        "loud voice.",
    ),
    say(
        "They [shouted at each other|both got angry]. {f.name} went left, and {h.name} went right.",
        "\"I don't want to play with you anymore!\" said {h.name}, and {h.he} [ran|walked] away.",
    ),
    say(
        "{h.name} sat {p.at} and felt [lonely|bad|sad]. There was nobody to talk to.",
        "All day, {h.name} missed {h.his} friend. Even {food} did not taste good.",
        "At home, {o.name} asked, \"Where is {f.name} today?\" {h.Name} began to cry and told {o.him} "
        "everything.",
    ),
    maybe(
        "\"A kind word can fix a lot,\" said {o.name}.",
        "It was quiet outside. {h.name} thought of {f.name}, who was alone, too.",
    ),
    say(
        "So {h.he} went to find {f.name}. \"I am sorry,\" said {h.name}. \"I am sorry, too,\" said {f.name}.",
        "{h.name} [picked a flower for|went to see|drew a picture for] {f.name}. \"Are we still "
        "friends?\" {h.he} asked.",
        "They met halfway, because {f.name} was looking for {h.name}, too. \"I missed you!\" they said at "
        "the same time.",
    ),
    say(
        "\"[Of course|Let us never fight again|Friends forever]!\" said {f.name}, and they hugged.",
        "They [laughed|hugged|shook hands], and then they played until the stars came out.",
    ),
)

NEW_FRIEND: tuple[Beat, ...] = (
    say(
        "{h.name} had nobody to play with. [All the others were older.|{h.he} was new there.|{h.he} was too "
        "shy to ask.]",
        "{h.name} had just moved to a new [town|home]. {h.he} did not know anyone.",
        "{h.name} wished for a friend. Every night, {h.he} looked at a star and made the same wish.",
    ),
    say(
        "One {w} {time}, {h.he} saw {f.intro} {p.at}. {f.name} was alone, too.",
        "Then {f.intro} came along. {f.name} [carried|was playing with|had] {t.a}.",
        "{p.at}, {h.he} met {f.intro}. {f.name} was sitting very still.",
    ),
    say(
        "{h.name} was [shy|nervous], but {h.he} said, \"Hello. [My name is {h.call}|I am {h.call}]. What is "
        "your name?\" \"I am {f.call},\" said {f.name}.",
        "\"Hello,\" said {f.name}. \"Do you want to play?\" {h.Name} could not believe it. \"Yes!\" {h.he} "
        "said.",
        "{h.name} held out {food}. \"Would you like some?\" {h.he} asked. {f.name} [smiled|nodded] and "
        "said, \"Thank you.\"",
    ),
    say(
        "They [played hide and seek|told each other stories|ran up and down the hill|looked for shells|made "
        "a little house of leaves].",
        "First they played with {t.a}, then they [climbed a tree|jumped over puddles|rolled down the hill].",
        "{f.name} showed {h.name} {t.a}, and {h.name} showed {f.him} a secret place {p.at}.",
    ),
    maybe(
        "They found out that they both liked {food}.",
        "{h.name} laughed more than {h.he} had laughed in a long time.",
        "\"You run so fast!\" said {f.name}. \"You jump so high!\" said {h.name}.",
    ),
    say(
        "\"Will you come back tomorrow?\" asked {h.name}. \"Yes, [every day|I promise|I will],\" said "
        "{f.name}.",
        "When it was time to go, {f.name} gave {h.him} {q.a}. \"So you think of me,\" said {f.name}.",
        "\"I am glad I met you,\" said {f.name}. \"Me, too,\" said {h.name}.",
    ),
    maybe("{h.name} was not lonely anymore.", "{h.his} wish had come true."),
)

RACE: tuple[Beat, ...] = (
    say(
        "One day, there was a big race {p.at}. {h.name} and {f.name} both wanted to win.",
        "\"I am faster than you!\" said {f.name}. \"Let us have a race,\" said {h.name}.",
        "Every {season}, there was a race from the [old bridge|big tree|mill] to the [lake|hill|barn]. This "
        "time, {h.name} was going to run.",
    ),
    say(
        "\"One, two, three, go!\" shouted {o.name}, and off they ran.",
        "They stood side by side. \"Ready, set, go!\" called {o.name}.",
    ),
    say(
        "{f.Name} was [fast|very quick] and soon was far ahead. {h.name} ran as [fast|well] as {h.he} could.",
        "{h.name} was first, and {f.name} was close behind {h.him}.",
        "They ran past the [mill|pond|fence] and over the [bridge|hill]. {h.his} heart beat fast.",
    ),
    say(
        "Suddenly {f.name} [tripped over a root|fell into the mud|slipped and fell]. \"Ouch! My "
        "[foot|knee]!\" {f.he} cried.",
        "Then {h.name} heard a cry. {f.name} had fallen and [hurt {f.his} foot|could not get up].",
    ),
    say(
        "{h.name} could win now. But {h.he} stopped and [turned around|went back]. \"Are you hurt?\" {h.he} "
        "asked.",
        "What should {h.he} do? {h.name} did not think for long. {h.he} ran back to {h.his} friend.",
    ),
    say(
        "{h.he} helped {f.name} up, and they walked to the end together.",
        "\"Lean on me,\" said {h.name}. Slowly they went on, side by side, and came in last.",
    ),
    say(
        "Everyone [cheered|clapped]. \"You did not win the race,\" said {o.name}. \"But you won a friend.\"",
        "{o.Name} gave them both {food}. \"You are the real winners,\" {o.he} said.",
        "\"Why did you stop?\" asked {f.name}. \"Because you are my friend,\" said {h.name}.",
    ),
)

SURPRISE: tuple[Beat, ...] = (
    say(
        "It was {h.name_his} birthday, but nobody said a word. {h.he} [waited all morning|felt forgotten].",
        "{h.name} woke up and thought, \"Today is my birthday!\" But the house was [empty|quiet].",
    ),
    say(
        "{h.he} went to {f.name} and asked, \"Do you know what day it is?\" \"It is {weekday},\" said "
        "{f.name} and ran off.",
        "{h.he} asked {o.name}, \"Is today a special day?\" \"[No, just a {weekday}|I am busy now],\" said "
        "{o.name}.",
    ),
    say(
        "{h.name} walked {p.to} all alone. {h.he} kicked a [stone|leaf] and felt sad.",
        "\"They all forgot me,\" thought {h.name}. A tear ran down {h.his} face.",
    ),
    maybe(
        "Then {h.he} saw a [trail of petals|little note|line of small stones]. \"Come home,\" it seemed to "
        "say.",
        "It was getting late, so {h.he} [went|walked] home slowly.",
    ),
    say(
        "When {h.he} opened the door, everyone jumped out. \"Surprise!\" they shouted. \"Happy birthday, "
        "{h.call}!\"",
        "{p.at} stood a table with a big cake and {n} candles. \"Surprise!\" called {f.name} and {o.name}.",
    ),
    say(
        "{h.name} laughed. \"You did not forget!\" {h.he} said. \"[Never|How could we],\" said {o.name}.",
        "Everyone got {food}, and {f.name} gave {h.him} {t.a}.",
    ),
    say(
        "{h.he} blew out the candles and made a wish. [It was a secret wish.|\"What did you wish for?\" "
        "asked {f.name}. \"I will not tell,\" said {h.name}.]",
        "They [danced|sang|played games] until it was very late.",
    ),
)

PLOTS = (
    ("skill", "toy", SKILL), ("fear", "toy", FEAR), ("quarrel", "shared", QUARREL),
    ("new_friend", "toy", NEW_FRIEND), ("race", "toy", RACE), ("surprise", "gift", SURPRISE),
)
