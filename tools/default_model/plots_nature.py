"""Plots about the world outside: animals in need, plants, weather, ways lost, food and wishes."""

from __future__ import annotations

from grammar import Beat, maybe, say

RESCUE: tuple[Beat, ...] = (
    say(
        "[While {h.he} was walking|As {h.he} was playing] {p.at}, {h.name} heard a small [cry|sound|voice].",
        "{p.at}, {h.name} saw a {small} that [could not move|was crying|was all wet].",
        "That day, {h.name} found a little {small} {p.at}.",
    ),
    say(
        "The little {small} was [stuck under a branch|caught in a net|hurt and could not walk|lost and far "
        "from home].",
        "The little {small} had hurt its leg. It [shook with cold|looked at {h.him} with big eyes].",
    ),
    say(
        "\"Don't be afraid, little {small},\" said {h.name}. \"I will help you.\"",
        "\"You poor thing,\" {h.name} said [softly|in a quiet voice]. \"I will take care of you.\"",
        "\"Please help me,\" said the {small}. \"I want to go home to my mother.\" \"Of course I will help "
        "you,\" said {h.name}.",
    ),
    say(
        "{h.he} [pulled and pulled|worked very carefully], and {f.name} came to help. At last the {small} "
        "was free.",
        "{h.he} [picked it up gently|wrapped it in {h.his} scarf] and took it home. {o.name} gave it [warm "
        "milk|water|something to eat].",
        "{h.name} and {f.name} made a soft bed in a box. They gave the {small} [water|food] and kept it "
        "warm.",
    ),
    maybe(
        "For {n} days, {h.name} [looked after it|fed it|sat with it]. Each day it was a bit stronger.",
        "\"Can it stay with us?\" asked {h.name}. \"Only until it is well,\" said {o.name}.",
        "\"It needs a name,\" said {f.name}. They called it {pet}.",
    ),
    say(
        "Soon the {small} was well again. It [jumped around|played in the grass|made a happy sound].",
        "Then the mother of the {small} came. She was so happy to see her baby again.",
        "One {w} {time}, they brought the {small} back {p.to} and let it go.",
    ),
    say(
        "\"Goodbye, little one,\" said {h.name}. [{h.he} was sad and happy at the same time.|The {small} "
        "looked back one more time.]",
        "The {small} did not forget. It came back every {season} to visit {h.name}.",
        "\"You have a kind heart,\" said {o.name}. {h.name} smiled.",
    ),
)

PLANT: tuple[Beat, ...] = (
    say(
        "{o.Name} gave {h.name} a seed. \"If you take care of it, it will become a {t.noun},\" {o.he} said.",
        "{h.name} found a small seed {p.at}. \"What will it be?\" {h.he} asked. \"[Plant it and see|Let us "
        "find out],\" said {o.name}.",
        "{h.name} wanted to have a {t.noun} of {h.his} own.",
    ),
    say(
        "{h.he} dug a hole {p.at} and put the seed in. Then {h.he} gave it [some water|a little water].",
        "{h.name} filled a pot with dark earth and put the seed in it.",
    ),
    say(
        "The next morning, {h.he} ran to look, but there was nothing. \"When will it grow?\" {h.he} asked. "
        "\"You must wait,\" said {o.name}.",
        "A day went by, and another day, but nothing happened. {h.name} [was sad|did not like to wait].",
        "\"It will never grow,\" said {f.name}. But {h.name} did not give up.",
    ),
    say(
        "{h.name} watered it every day and [sang to it|talked to it|pulled out the weeds].",
        "The sun shone and the rain fell. {h.name} waited and waited.",
    ),
    maybe(
        "One night there was a storm, and {h.name} put {q.a} over it to keep it safe.",
        "A hungry {small} wanted to eat it, but {h.name} gave it {food} instead.",
    ),
    say(
        "Then, one {w} {time}, there was a tiny green leaf! \"It is growing!\" {h.he} shouted.",
        "After {n} weeks, something green came out of the ground. {h.name} [jumped for joy|called everyone].",
    ),
    say(
        "It grew and grew, and in the end there was {t.a}. It was the most beautiful {t.noun} {p.at}.",
        "By the end of the {season}, it was {t.a}, as tall as {h.name}.",
    ),
    say(
        "\"You were patient,\" said {o.name}. \"That is why it grew.\"",
        "{h.name} was so proud. {h.he} gave a new seed to {f.name}.",
        "\"Good things take time,\" said {h.name}.",
    ),
)

GOT_LOST: tuple[Beat, ...] = (
    say(
        "{h.name} wanted to see [what was behind the hill|where the river ends|the other side of the "
        "woods]. \"Don't go too far,\" said {o.name}.",
        "{h.name} saw a [butterfly|blue bird|little frog] and ran after it. {h.he} ran and ran, far away "
        "from home.",
        "{h.name} and {o.name} went {p.to}. There was so much to see that {h.name} let go of {o.his} hand.",
    ),
    say(
        "Soon {h.he} did not know where {h.he} was. Everything looked [strange|the same].",
        "When {h.he} looked around, {h.he} could not see the way back. \"I am lost,\" {h.he} said.",
    ),
    say(
        "It [was getting dark|began to rain|got colder], and {h.name} was [scared|cold and hungry].",
        "{h.name} called, \"{o.call}! {o.call}!\" But nobody answered.",
        "{h.he} sat down under a tree and cried.",
    ),
    say(
        "Then {f.intro} came by. \"Why are you crying?\" {f.he} asked. \"I can't find my way home,\" said "
        "{h.name}.",
        "\"Who is there?\" asked a voice. It was {f.intro}. {h.name} told {f.him} what had happened.",
    ),
    say(
        "\"I know the way,\" said {f.name}. \"[Follow me|Come with me|Take my hand].\" They walked past the "
        "[mill|big rock|old oak] and over a [bridge|stream].",
        "\"Where do you live?\" asked {f.name}. \"{home_cap},\" said {h.name}. \"I know that place!\" said "
        "{f.name}. \"It is not far.\"",
        "{f.name} had {t.a}, and it helped them find the way. They walked [for an hour|slowly|hand in hand] "
        "in the dark.",
    ),
    maybe("They sang so that they would not be afraid.", "The moon came out and showed them the road."),
    say(
        "At last {h.name} saw a light. It was {o.name}, who was looking for {h.him}. \"There you are!\" "
        "{o.he} cried and hugged {h.him}.",
        "\"{h.call}!\" called {o.name}. {h.name} ran into {o.his} arms.",
    ),
    say(
        "\"Thank you for your help,\" said {h.name} to {f.name}. They gave {f.him} {food}.",
        "{o.Name} [thanked|hugged] {f.name} and said, \"Please stay and eat with us.\"",
    ),
    maybe("\"I will not run away again,\" said {h.name}.", "After that, {h.name} always stayed close."),
)

STORM: tuple[Beat, ...] = (
    say(
        "{h.name} and {f.name} were [playing|running about|talking and laughing] {p.at}. They did not see "
        "the dark clouds.",
        "{h.name} wanted to go out and play, but the sky was dark. \"Wait until the storm is over,\" said "
        "{o.name}.",
    ),
    say(
        "Suddenly there was a [flash|loud boom]. The wind [blew hard|roared], and the rain came down.",
        "The sky turned black. Thunder rolled over the hills.",
    ),
    say(
        "\"Run!\" shouted {f.name}. They ran as fast as they could and hid [in an old barn|under a "
        "bridge|in a small cave].",
        "\"We need a dry place,\" said {h.name}. They found [a hollow tree|a little hut|a cave] and went "
        "inside.",
    ),
    maybe(
        "{f.name} was afraid, so {h.name} held {f.his} hand and told {f.him} a story.",
        "Inside, they found {t.a} and {n} old boxes.",
        "\"Are you scared?\" asked {f.name}. \"A little,\" said {h.name}.",
    ),
    say(
        "They shared {food} and waited. [Drip, drop, drip, drop, went the rain.|They counted the drops.]",
        "They sat close together to keep warm, and {h.name} sang a song.",
    ),
    say(
        "After a while, the rain stopped. A big rainbow stood over [the hills|the trees|the lake].",
        "Then it was quiet. The sun came out, and everything [was shining|smelled fresh].",
    ),
    say(
        "\"Look, a rainbow!\" said {h.name}. \"[It is beautiful|I have never seen such colors],\" said "
        "{f.name}.",
        "They jumped into every puddle on the way home.",
        "At home, {o.name} gave them dry clothes and {food}.",
    ),
)

BAKE: tuple[Beat, ...] = (
    say(
        "{h.name} was hungry. \"Let us make a {t.noun},\" said {o.name}.",
        "Today was the day of the big {season} party, and {h.name} wanted to bring a {t.noun}.",
    ),
    say(
        "They needed [flour|butter|milk], [eggs|sugar|apples], and [a big bowl|a pan|a wooden spoon]. "
        "{h.name} [mixed|stirred] everything.",
        "First {h.he} washed {h.his} hands. Then {h.he} put everything into a big bowl and stirred.",
        "{o.name} read from an old book, and {h.name} did what it said.",
    ),
    say(
        "But there was no [sugar|salt|butter] left! {h.name} ran to {f.name}. \"Can I have some?\" {h.he} "
        "asked. \"Sure,\" said {f.name}. \"But I want a piece.\"",
        "Oh no! {h.name} dropped [an egg|the spoon|the bowl], and it made a big mess. {o.name} "
        "[laughed|only smiled]. \"We can clean it up,\" {o.he} said.",
        "{f.name} smelled it and came in. \"What are you making?\" {f.he} asked. \"A {t.noun},\" said "
        "{h.name}. \"You can help!\"",
    ),
    say(
        "They put it into the oven and waited. Soon the whole house smelled [good|sweet|wonderful].",
        "It was hard to wait. \"Is it ready?\" {h.name} asked again and again. \"Not yet,\" said {o.name}.",
    ),
    say(
        "At last the {t.noun} was ready. It was [hot|golden|big and round] and [looked|smelled] so good.",
        "\"Now it is ready!\" said {o.name} and put it on the table.",
    ),
    say(
        "They cut it into {n} pieces and gave one to everyone. \"Yum!\" said {f.name}.",
        "{h.name} ate {n} bites and gave the rest to {f.name}. \"It is the best {t.noun} ever,\" said "
        "{f.name}.",
    ),
    maybe("\"Can we make one again tomorrow?\" asked {h.name}.", "There was not one crumb left."),
)

WISH: tuple[Beat, ...] = (
    say(
        "One {time}, {h.name} found {t.a} {p.at}. When {h.he} touched it, it began to [glow|speak|sing].",
        "{p.at}, {h.he} met a tiny [fairy|old man|fish] with a golden [hat|coat|crown].",
    ),
    say(
        "\"You have one wish,\" said a [soft|small] voice. \"What do you wish for?\"",
        "\"I can give you one wish,\" it said. \"But think well!\"",
    ),
    say(
        "{h.name} thought of [gold and jewels|a big house|a mountain of sweets]. But then {h.he} thought of "
        "{f.name}, who was [sick|sad|all alone].",
        "{h.he} wanted {q.a}. {h.he} also wanted {food}. But what about {f.name}, who had [nothing|no home]?",
    ),
    say(
        "\"I wish that {f.call} is happy again,\" {h.name} said.",
        "\"I wish for {f.call} to be well,\" {h.he} said.",
    ),
    say(
        "There was a flash of light, and everything was quiet. {h.name} ran to {f.name} as fast as {h.he} "
        "could.",
        "The [light|voice] was gone. \"Was it a dream?\" {h.name} wondered, and {h.he} hurried to {f.name}.",
    ),
    say(
        "{f.Name} stood at the door and laughed. \"I feel so good!\" {f.he} said. \"[What happened|Let us "
        "play]?\"",
        "There was {f.name}, [singing|dancing|smiling] in the sun.",
    ),
    say(
        "{h.name} did not tell about the wish. It was enough to see {h.his} friend smile.",
        "\"It was the best wish of all,\" thought {h.name}.",
        "And the next morning, {q.a} lay in front of {h.name_his} door.",
    ),
)

PLOTS = (
    ("rescue", "toy", RESCUE), ("plant", "plant", PLANT), ("got_lost", "found", GOT_LOST),
    ("storm", "found", STORM), ("bake", "baked", BAKE), ("wish", "found", WISH),
)
