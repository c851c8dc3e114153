"""How stories open and close: the beats that every plot shares."""

from __future__ import annotations

from grammar import maybe, say

HERO = say(
    "Once upon a time, there was {h.intro}. {h.name} lived {home}.",
    "Once upon a time, there was {h.intro} who lived {home}.",
    "Once upon a time, {home}, there lived {h.intro}.",
    "Once upon a time, {h.intro} lived {home}. {h.he} was very {h.trait}.",
    "Once upon a time, in [a faraway land|a small village|a quiet place], there was {h.intro}. Everyone "
    "[said|knew] that {h.name} was {h.trait}.",
    "There was once {h.intro}. {h.he} lived {home}.",
    "There once was {h.intro} who was very {h.trait}.",
    "Long ago, there was {h.intro}. {h.he} lived {home} and was [always|very] {h.trait}.",
    "One day, {h.intro} [went|walked|ran] {p.to}. [It was a {w} day.|The day was {w}.|]",
    "One {w} {time}, {h.intro} [went for a walk|woke up early|sat by the window|was looking for something "
    "to do].",
    "One {w} {time} in {season}, {h.intro} was {p.at}.",
    "It was a {w} {time}. {h.intro} [was|sat|was playing|was walking] {p.at}.",
    "It was a {w} {time} in {season}, and {h.intro} was [awake early|all alone|very happy|a little bored].",
    "In a small [village|town|house] by the [sea|river|forest], there lived {h.intro}.",
    "{h.intro} lived {home}. {h.he} liked [to play|to sing|to explore|to read|to help|to run] {p.at}.",
    "{h.intro} was [very happy|very excited|a little sad|wide awake] one {w} {time}.",
    "On a {w} {time}, {h.intro} [set out for a walk|went outside|looked out the window|stood {p.at}].",
    "This is a story about {h.intro}. {h.he} lived {home}.",
    "Do you know {h.name}? {h.name} is {h.a_kind}. This is what happened one {w} {time}.",
    "Every {time}, {h.intro} [went|walked] {p.to}. {h.he} liked it there.",
    "It was {weekday}, and {wclause}. {h.intro} was {p.at}.",
    "In the [early|first days of] {season}, when {wclause}, {h.intro} went out to play.",
    "Far away, {home}, lived {h.intro}. {h.he} had a {h.trait} heart.",
    "A long time ago, {h.intro} lived {home}.",
    "{h.name} was {h.a_kind} who lived {home}. [Everyone|All who knew {h.him}] called {h.him} {h.trait}.",
    "{h.name} was {h.a_trait_kind}. {h.he} [loved|liked] to [play|walk|be] {p.at}.",
    "Deep in the [night|{season}], when {wclause}, {h.intro} was [still awake|wide awake|sitting by the "
    "fire].",
    "When the sun [came up|went down] over the [hills|trees|town], {h.intro} was {p.at}.",
    "Yesterday, {h.intro} had a [big day|strange day|very good day]. It began {p.at}.",
    "Many years ago, {home}, there was {h.intro}. Nobody was as {h.trait} as {h.name}.",
)

COLOR = maybe(
    "{wsent}",
    "{h.name} felt [happy|calm|cheerful|full of joy|ready for the day].",
    "{h.he} had eaten {food} [for breakfast|for lunch|that morning], and {h.he} felt strong.",
    "[Birds were singing|A dog was barking|Bees were humming|A bell was ringing] [far away|not far "
    "away|nearby].",
    "{h.he} was {age} years old.",
    "Everything [looked|seemed] [bright|new|quiet|lovely] that {time}.",
    "The {season} had just [begun|come].",
)

FRIEND = maybe(
    "{h.his} best friend was {f.intro}.",
    "{h.name} had a good friend, {f.intro}.",
    "{h.name} often played with {f.intro}.",
    "Next door lived {f.intro}, and they were [good|best|old] friends.",
    "With {h.him} was {f.intro}.",
)

HOME = say(
    "[That night|At bedtime|In the evening], {h.name} [fell asleep|went to bed|slept] with a "
    "[big|happy|little] smile.",
    "{h.name} went home and told [everyone|{h.his} family] [about the day|what had happened|the whole "
    "story].",
    "[And so|In the end], {h.name} and {f.name} were [very happy|good friends|glad] [together|for a long "
    "time|again].",
    "When the sun went down, {h.name} went home. It had been a [good|great|wonderful|long] day.",
    "From that day on, {h.name} was [always|even more] [kind|careful|brave|patient|friendly].",
    "From then on, {h.name} and {f.name} [met every day|played together every {weekday}|were best friends].",
    "{h.name} never forgot that {w} {time}.",
    "It was the best {weekday} that {h.name} ever had.",
    "{h.name} smiled all the way home.",
    "Then they all [sat down and ate|shared] {food} and [laughed|told stories|sang] until it was dark.",
    "They lived happily ever after. The end.",
    "And they all lived happily ever after.",
    "The end.",
    "{h.name} looked up at the stars and said, \"Thank you for this day.\"",
    "{h.name} was tired but very happy.",
    "\"What a day!\" said {h.name}, and {h.he} closed {h.his} eyes.",
    "\"I will remember this day,\" {h.name} said, and {f.name} [smiled|nodded|agreed].",
)
