"""Plots about things that are lost, found, or broken."""

from __future__ import annotations

from grammar import Beat, maybe, say

LOST: tuple[Beat, ...] = (
    say(
        "{h.name} had {t.a}. {h.he} [loved it very much|took it everywhere|played with it every day].",
        "{h.his} favorite thing was {t.a}. {h.he} [carried it|took it] wherever {h.he} went.",
        "{h.name} loved {h.his} {t.bare} more than anything. {o.name} had given it to {h.him}.",
    ),
    say(
        "But [one day|that morning|after lunch], the {t.noun} was gone. {h.name} [could not find it "
        "anywhere|did not know where it was].",
        "Then something [sad|bad] happened. {h.name} looked in {h.his} bag, and the {t.noun} was not there.",
        "[When {h.he} came home|That afternoon], {h.he} saw that {h.his} {t.noun} was missing. \"Oh no!\" "
        "{h.he} [cried|said]. "
        "\"Where is my {t.noun}?\"",
    ),
    maybe(
        "{h.name} [began to cry|felt very sad|wanted to cry|sat down and cried].",
        "{h.his} heart [felt heavy|beat fast]. {h.he} [did not want to eat|could not think of anything "
        "else].",
    ),
    say(
        "{h.he} looked under the [bed|table|bench|bush] and behind the [door|tree|chair|fence], but it was "
        "not there.",
        "{h.he} looked [here and there|up and down|everywhere]. {h.he} found {q.a}, but not the {t.noun}.",
        "{h.name} looked in the [box|grass|basket|closet]. [No {t.noun}|Nothing]. {h.he} looked by the "
        "[road|gate|wall|stairs]. [No {t.noun}|Nothing there].",
    ),
    say(
        "{f.Name} saw {h.him} and asked, \"Why are you so sad?\" \"I lost my {t.noun},\" said {h.name}. \"I "
        "will help you "
        "[find it|look for it],\" said {f.name}.",
        "Just then, {f.name} came by. \"What is wrong?\" {f.name} asked. \"My {t.noun} is [lost|gone],\" "
        "{h.name} said. "
        "\"Do not worry,\" said {f.name}. \"Let us look together.\"",
        "{h.name} went to {f.name} and said, \"Please help me. I can't find my {t.noun}.\" {f.name} "
        "[nodded|smiled] and came along.",
    ),
    say(
        "They walked {p.to} and looked [around|carefully|under every leaf]. There, [behind a rock|under a "
        "leaf|next to a tree|in the grass], was the {t.noun}!",
        "They went [back {p.to}|all the way {p.to}]. \"Look!\" {f.name} [shouted|said]. \"Is that your "
        "{t.noun}?\" It was!",
        "At last {f.name} saw something {t.adjective} {p.at}. It was the {t.noun}! A [bird|puppy|kitten] "
        "had [taken it|played with it].",
        "Then {h.name} remembered. {h.he} had been {p.at} that morning! They ran there, and the {t.noun} "
        "was still there.",
    ),
    say(
        "\"Thank you, {f.call}!\" said {h.name}. {h.he} [held the {t.noun} tight|hugged the {t.noun}|was so "
        "happy].",
        "{h.name} hugged {f.name}. \"You are a good friend,\" {h.he} said.",
        "{h.name} [jumped for joy|laughed and danced]. \"We found it!\" {h.he} said.",
    ),
    maybe(
        "After that, {h.name} always [put the {t.noun} in a safe place|took good care of the {t.noun}].",
        "\"I will be more careful now,\" said {h.name}.",
    ),
)

FOUND: tuple[Beat, ...] = (
    say(
        "[While {h.he} was playing|As {h.he} was walking] {p.at}, {h.name} saw something [shine|in the "
        "grass|on the ground]. It was {t.a}.",
        "{p.at}, {h.name} found {t.a}. [{h.he} had never seen one like it.|It was under a leaf.|It lay in "
        "the sand.|]",
        "{h.name} tripped over something {p.at}. {h.he} looked down and saw {t.a}!",
    ),
    say(
        "\"[Whose {t.noun} is this|Who lost this {t.noun}|Where did this {t.noun} come from]?\" {h.he} "
        "[asked|wondered|said].",
        "{h.he} picked it up. \"What a pretty {t.noun},\" {h.he} said. \"[Somebody must miss it|I wonder "
        "whose it is].\"",
        "{h.name} wanted to keep the {t.noun}, but {h.he} thought, \"[Maybe somebody is sad without it|It "
        "is not mine].\"",
    ),
    say(
        "{h.he} asked {f.name}. \"Is this your {t.noun}?\" \"No,\" said {f.name}. \"[It is not mine|I have "
        "never seen it|Mine is at home].\"",
        "First {h.he} went to {f.name}. {f.name} looked at the {t.noun} and shook {f.his} head. \"Not "
        "mine,\" {f.he} said.",
    ),
    maybe(
        "\"[Let us ask|Why don't we ask] {o.name},\" said {f.name}.",
        "Together they [knocked on every door|asked everyone they met].",
        "{h.name} was [a little tired|getting tired], but {h.he} did not give up.",
    ),
    say(
        "Then they met an old {job}. The {job} was looking for something. \"I have lost my {t.noun},\" the "
        "{job} said [sadly|softly].",
        "By the [road|well|gate|bridge] sat an old {job}, who looked very sad. \"My {t.noun} is gone,\" "
        "said the {job}.",
        "At last they came to the house of the {job}. \"Have you seen my {t.noun}?\" the {job} asked.",
    ),
    say(
        "\"Here it is!\" said {h.name}, and {h.he} held out the {t.noun}. The {job} [laughed with joy|was "
        "so happy|began to smile].",
        "{h.name} gave the {t.noun} to the {job}. \"[Thank you|Bless you|You are very kind],\" said the "
        "{job}.",
    ),
    say(
        "The {job} gave {h.name} {food} [to say thank you|for being so honest|and a warm smile].",
        "\"You are an honest [friend|heart|little one],\" said the {job}. {h.name} felt [proud|warm "
        "inside|very good].",
        "\"You could have kept it,\" the {job} said. \"But it was yours,\" said {h.name}.",
    ),
    maybe(
        "{h.name} learned that [giving back feels better than keeping|it is good to be honest].",
        "{f.name} was proud of {h.name}.",
    ),
)

BROKEN: tuple[Beat, ...] = (
    say(
        "{o.Name} had {t.a}. It was very [old|special|dear to {o.him}]. \"Please be careful with it,\" "
        "{o.he} always said.",
        "In the house there was {t.a}. It belonged to {o.name}, and {h.name} was not allowed to touch it.",
    ),
    say(
        "But {h.name} [wanted to look at it|was curious|was running too fast]. Crash! The {t.noun} fell and "
        "broke.",
        "One day {h.name} was [dancing|jumping|playing ball] inside. {h.he} bumped into the {t.noun}, and "
        "it fell [down|to the floor] and broke.",
        "{h.name} picked up the {t.noun}, and it [slipped out of {h.his} hands|fell]. It broke into {n} "
        "pieces.",
    ),
    say(
        "{h.name} was [scared|afraid|very sorry]. {h.he} hid the pieces [under the bed|in a box|behind a "
        "chair].",
        "\"Oh no,\" {h.name} whispered. \"What will {o.call} say?\"",
        "{h.he} did not know what to do. {h.he} [sat down|hid in a corner] and [cried|thought for a long "
        "time].",
    ),
    maybe(
        "{f.Name} came and saw {h.him}. \"You should tell the truth,\" {f.he} said.",
        "\"Maybe we can fix it,\" said {f.name}. But they could not.",
        "All day long, {h.his} tummy hurt, because {h.he} felt so bad.",
    ),
    say(
        "At last {h.name} went to {o.name} and said, \"I broke your {t.noun}. I am so sorry.\"",
        "When {o.name} came home, {h.name} told the truth. \"[It was me|I did it],\" {h.he} said. \"I broke "
        "the {t.noun}.\"",
    ),
    say(
        "{o.Name} [was quiet for a moment|looked at {h.him}|sat down]. Then {o.he} said, \"Thank you for "
        "telling me the truth.\"",
        "{o.Name} was a little sad, but {o.he} was not angry. \"[A thing can be fixed|It was only a "
        "thing],\" {o.he} said. \"I am glad you told me.\"",
    ),
    say(
        "Together they [glued the {t.noun}|put the {t.noun} back together|fixed the {t.noun}]. It was not "
        "[perfect|like new], but they liked it even more.",
        "They got some glue and worked [all afternoon|all evening|for an hour]. In the end, the {t.noun} "
        "was whole again.",
        "The next day, they went to the market and bought a new {t.noun}. {h.name} paid with {h.his} own "
        "coins.",
    ),
    maybe(
        "{h.name} felt much better. It is good to tell the truth.",
        "After that, {h.name} was [always careful|never wild] in the house.",
    ),
)

PLOTS = (("lost", "toy", LOST), ("found", "found", FOUND), ("broken", "breakable", BROKEN))
