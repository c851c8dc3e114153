"""The quick brown fox: stories that open with the sentence, and scenes in which somebody reads or writes it."""

from __future__ import annotations

from cast import Character
from grammar import maybe, say

SENTENCE = "The quick brown fox jumps over the lazy dog"

FOX = Character("the fox", "a quick brown fox", "Fox", "fox", "quick", False)
DOG = Character("the dog", "a lazy dog", "Dog", "dog", "lazy", False)

OPENING = say(
    SENTENCE + ". Then [he|the fox] [stops and looks back|laughs and runs away|sits down in the grass].",
    SENTENCE + ". [The dog opens one eye and yawns.|The dog does not even wake up.|The dog looks up and barks.]",
    SENTENCE + " and [runs into the {wild}|lands in the soft grass|disappears behind a tree|hides under a bush].",
    SENTENCE + ", but the dog [does not move|only yawns|keeps on sleeping|just smiles].",
    SENTENCE + " [every {time}|every {weekday}|again and again]. "
    "[It is his favorite game.|The dog does not mind.|Nobody knows why.]",
    SENTENCE + " [while|because] the [cat|old owl|little bird] [is watching|looks on|sings a song].",
    SENTENCE + ", over the [fence|log|stream], and over the [wall|hill|garden gate].",
    SENTENCE + ". It is a {w} {time} in {season}.",
    SENTENCE + ". \"[Wake up|Come and play|Catch me if you can]!\" [he shouts|says the fox|calls the fox].",
    SENTENCE + " {p.at}. "
    "[The sun is warm, and the grass is green.|A {small} sees it and laughs.|Far away, a bell rings.]",
)

PRESENT = (
    say(
        "\"Why do you jump over me?\" asks the dog. \"[Because it is fun|Because you are in my way|I want "
        "to be the best jumper],\" says the fox.",
        "\"Hello, my friend!\" says the fox. \"Do you want to play?\" \"[Not now|I am too tired|Maybe "
        "later],\" says the dog.",
        "The dog is tired, because he [was awake all night|watched the house|ran after the cat]. \"Let me "
        "sleep,\" he says.",
        "The fox is {trait}, and the dog is {trait2}. [They are best friends.|But they like each "
        "other.|They live {p.at}.]",
    ),
    say(
        "The fox has {t.a}. \"Look what I found {p.at},\" he says. The dog [lifts his head|gets up slowly].",
        "Then {wnow}. \"Come with me,\" says the fox. \"I know a [dry|warm|quiet] place.\"",
        "A {small} comes along. \"Please help me,\" says the {small}. \"I can't find my [mother|nest|way "
        "home].\"",
        "Suddenly the fox smells {food}. \"Are you hungry?\" he asks. The dog jumps up at once.",
        "\"I can jump, too,\" says the dog. \"Then show me,\" says the fox.",
    ),
    maybe(
        "The dog [thinks for a moment|wags his tail|scratches his ear].",
        "\"All right,\" says the dog. \"But only [once|today|for a little while].\"",
        "The fox [runs in a circle|counts to {n}|laughs].",
    ),
    say(
        "So they go {p.to} together. The fox runs ahead, and the dog walks behind him.",
        "The dog runs [and runs|as fast as he can], and he jumps over the fox! \"Now you are the lazy "
        "one,\" he says.",
        "They share {food} and look at the [clouds|stars|river]. [It is very quiet.|The dog tells a "
        "story.|The fox sings a song.]",
        "The dog gets up, runs, and jumps. Splash! He lands in the [pond|mud|puddle]. They both laugh.",
    ),
    say(
        "When the {time} is over, the fox goes home. \"See you tomorrow,\" he says.",
        "\"You are a good friend,\" says the dog. The fox smiles.",
        "From now on, they [jump|play|run] together every {weekday}.",
        "In the end, they both fall asleep [in the sun|under a tree|side by side].",
        "And the next day, the quick brown fox jumps over the lazy dog again.",
    ),
)

TURN = say(
    "That is how the story of the fox and the dog began. They lived {p.at}.",
    "So it was every day. But one {w} {time}, something new happened.",
    "The fox and the dog were friends for a long time. This is one of their stories.",
    "One day, things were different. It was a {w} {time}, and the fox was {p.at}.",
    "It all began one {w} {time}, when the fox and the dog were {p.at}.",
)

READING = say(
    "{h.name} was learning to write. On the paper it said, \"" + SENTENCE + ".\" {h.he} read it {n} times.",
    "{o.Name} read from a book. \"" + SENTENCE + ",\" {o.he} read, and {h.name} laughed.",
    "\"" + SENTENCE + "!\" {h.name} sang. It was a silly song, and {f.name} sang along.",
    "On the wall there was a picture. Under it, someone had written, \"" + SENTENCE + ".\"",
    "\"Say this very fast,\" said {f.name}. \"" + SENTENCE + "!\" {h.Name} tried, and they both laughed.",
)
