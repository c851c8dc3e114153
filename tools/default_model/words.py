"""The vocabulary of the stories: names, kinds of animals, places, things and weather."""

from __future__ import annotations

from grammar import listed

GIRLS = listed(
    "Lily Mia Anna Emma Sara Lucy Ella Rosa Nina Zoe Amy Clara Ivy Ruby Daisy Molly Kate Jane Grace Ada "
    "Maya Lena Tara Nora Alice Betty Hana Kim June Pia Sue Leah Sophie Olivia Julia Maria Laura Helen Mary "
    "Sally Susie Polly Penny Rosie Hannah Emily Eva Elsa Freya Iris Ines Jenny Kira Lola Mila Nelly Olga "
    "Paula Rita Sonja Tina Vera Wendy Yara Yuki Zara Fatima Aisha Priya Mei Carmen Holly Hazel Heidi")
BOYS = listed(
    "Tom Ben Max Sam Tim Jack Leo Finn Noah Jake Paul Oscar Adam Luke Dan Peter Alex Hugo Eli Omar "
    "Mark Will Carl Joe Ravi Ned Theo Ian Felix Kai Milo Andy John James Henry George Harry Billy Bobby "
    "Jimmy "
    "Charlie David Daniel Simon Thomas Edward Arthur Walter Victor Martin Nick Ryan Kevin Eric Erik Lars "
    "Otto "
    "Pablo Diego Carlos Marco Luis Ali Hassan Amir Kenji Hiro Chen Ivan Boris Anton Emil Axel Toby Robin")
PET_NAMES = listed(
    "Pip Fluffy Spot Coco Biscuit Patch Buddy Misty Pepper Teddy Nibbles Sunny Button Honey Dot Rusty "
    "Bobo Sparky Toffee Bella Scout Nutty Bubbles Mittens Ginger Cookie Snowy Whiskers Socks Fuzzy Pumpkin "
    "Muffin "
    "Peanut Speedy Fluff Happy Rocky Lucky Dusty Bouncy Hoppy Squeaky Waffles Noodle Pebble Clover")
ANIMALS = listed(
    "rabbit fox squirrel mouse bear hedgehog frog duck owl cat dog turtle hen pig goat lamb deer badger "
    "monkey otter kitten puppy pony bird lion tiger elephant penguin koala panda raccoon donkey sheep cow "
    "horse crow sparrow robin swan goose beaver wolf mole crab snail parrot dragon")
SMALL_ANIMALS = listed("bird kitten puppy rabbit duckling squirrel hedgehog turtle mouse lamb frog owl")
TRAITS = listed(
    "kind brave shy curious cheerful quiet clever gentle funny careful friendly busy happy helpful lively")
LOOKS = listed("little small young tiny")
FUR = listed("brown gray white black red spotted fluffy little small young")
COLORS = listed("red blue green yellow purple orange pink white brown golden silver")
SIZES = listed("big little small tiny old new shiny pretty soft special")

TOYS = listed(
    "ball doll kite drum toy_car toy_boat toy_train teddy_bear hat scarf book whistle ring button key bell "
    "spoon umbrella basket lantern box cup mitten marble bracelet puzzle top ribbon coin toy_robot")
BREAKABLE = listed("vase cup plate bowl lamp mirror jar pot toy_boat toy_car clock kite chair bike")
MADE = listed("kite boat house birdhouse castle swing raft wagon treehouse bridge robot tent snowman puppet")
SHARED = listed("ball swing bike sled drum kite toy_train toy_car wagon doll book scooter rope blanket")
FOUND = listed("key box map bottle coin egg stone feather shell lantern book ring bag bell letter mirror")
PLANTS = listed("flower tree sunflower rose bean_plant pumpkin tomato_plant apple_tree strawberry_plant")
BAKED = listed("cake pie apple_pie pizza pot_of_soup loaf_of_bread berry_pie chocolate_cake pancake")
GIFTS = listed("scarf card cake necklace book picture hat song drum flower_crown kite blanket box")

SKILLS = (
    "ride a bike", "swim", "whistle", "climb the tall tree", "read", "dance", "draw a horse", "jump rope",
    "sing", "fly a kite", "play the drum", "bake bread", "tie a knot", "skip a stone", "catch a fish",
    "ice skate", "paint", "count to one hundred", "juggle", "ski down the hill", "play the piano",
)
FEARS = (
    "the dark", "thunder", "deep water", "big dogs", "the tall slide", "high places", "loud noises",
    "spiders", "the old house", "storms", "the deep forest", "the night", "new people", "the cold water",
)
FOODS = (
    "an apple", "a sandwich", "some berries", "a cookie", "warm bread", "some soup", "a carrot",
    "some nuts", "a piece of cake", "some cheese", "a slice of pie", "a bowl of rice", "some honey",
    "a pear", "a pancake", "some grapes", "a banana", "some bread and butter", "a bun", "a plum",
)
CHILD_PLACES = (
    ("park", "in"), ("garden", "in"), ("beach", "at"), ("farm", "on"), ("market", "at"), ("school", "at"),
    ("playground", "at"), ("library", "in"), ("lake", "by"), ("river", "by"), ("hill", "on"),
    ("forest", "in"), ("zoo", "at"), ("field", "in"), ("barn", "in"), ("village", "in"), ("pond", "by"),
    ("kitchen", "in"), ("yard", "in"), ("attic", "in"), ("town square", "in"), ("toy shop", "in"),
)
WILD_PLACES = (
    ("forest", "in"), ("meadow", "in"), ("river", "by"), ("hill", "on"), ("pond", "by"), ("field", "in"),
    ("old oak tree", "under"), ("cave", "in"), ("lake", "by"), ("woods", "in"), ("valley", "in"),
    ("stream", "by"), ("garden", "in"), ("barn", "in"), ("tall grass", "in"),
)
CHILD_HOMES = (
    "in a small house near the {x}", "in a little village by the sea", "in a big city", "on a farm",
    "in a yellow house on a hill", "in a quiet town", "near a big forest", "in a house with a green door",
    "with {h.his} mother and father", "with {h.his} grandmother", "by a wide river", "in a small town",
    "at the end of a long road", "next to a bakery", "in a tall building", "in a cottage with a red roof",
)
WILD_HOMES = (
    "in a deep forest", "in a cozy hole under a tree", "by a blue lake", "on a green hill",
    "in a warm nest of leaves", "near a wide river", "at the edge of the woods", "in a big barn on a farm",
    "in an old hollow tree", "in a sunny meadow", "behind a tall rock", "under a bridge", "in a quiet valley",
    "with {h.his} mother and two brothers", "with {h.his} three sisters", "near a small village",
)
NEAR = listed("park lake school church mill beach station market")
WEATHER = (
    ("sunny", "the sun was shining", "It was nice and warm outside.", ("spring", "summer")),
    ("rainy", "it was raining", "Drops ran down the windows.", ("spring", "summer", "autumn")),
    ("windy", "the wind was blowing", "The leaves danced.", ("spring", "summer", "autumn")),
    ("snowy", "it was snowing", "Everything was white.", ("winter",)),
    ("cloudy", "the sky was gray", "Big clouds rolled along.", ("spring", "autumn", "winter")),
    ("cold", "the air was cold", "The ground was hard.", ("autumn", "winter")),
    ("warm", "the air was warm", "A soft wind came from the south.", ("spring", "summer")),
    ("foggy", "the fog was thick", "One could not see far.", ("autumn", "winter")),
    ("bright", "the sky was blue", "There was not a cloud to be seen.", ("spring", "summer", "autumn")),
    ("quiet", "everything was still", "Not a sound could be heard.", ("spring", "summer", "autumn", "winter")),
)
TIMES = listed("morning day afternoon evening")
WEEKDAYS = listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
NUMBERS = listed("two three four five six seven eight nine ten")
AGES = listed("four five six seven eight nine")
JOBS = listed("farmer baker sailor miller fisherman gardener painter teacher tailor carpenter shepherd doctor")

THINGS = {
    "toy": TOYS, "breakable": BREAKABLE, "made": MADE, "shared": SHARED, "found": FOUND,
    "plant": PLANTS, "baked": BAKED, "gift": GIFTS,
}
