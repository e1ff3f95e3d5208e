"""The words of the notes: what they are about, and what may stand in their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Topic:
    """Sentences and questions with ``{places}``; ``words`` has what fills those that are the topic's own,
    with commas between."""

    sentences: Sequence[str]
    questions: Sequence[str]
    words: Mapping[str, str] = field(default_factory=dict[str, str])


SLOTS: Mapping[str, str] = {
    "who": (
        "Amara, Bjorn, Carla, Dmitri, Elif, Farid, Greta, Hamza, Ilse, Jun, Kofi, Lucia, Mateo, Nadia, "
        "Oskar, Priya, Quentin, Rosa, Stefan, Tomas, Ulla, Viktor, Wanda, Ximena, Yusuf, Zoe, Anselm, "
        "Beatriz, Cheng, Dalia, Emre, Fiona, Gustav, Hilde, Imran, Jolanda, Kenji, Leila, Marek, Noor, "
        "Olga, Pedro, Rania, Sanjay, Tamar, Umberto, Vera, Wilhelm, Yara, Zoltan, Agnes, Bruno, Chiara, "
        "Deniz, Esther"
    ),
    "place": (
        "Porto, Lisbon, Ghent, Tartu, Graz, Lyon, Turin, Bergen, Malmo, Leipzig, Krakow, Bilbao, "
        "Seville, Genoa, Trieste, Utrecht, Aarhus, Galway, Cork, Leeds, Bristol, Inverness, Nantes, "
        "Rennes, Basel, Lucerne, Innsbruck, Brno, Vilnius, Riga, Tallinn, Turku, Oulu, Kyoto, Osaka, "
        "Busan, Hanoi, Chennai, Accra, Dakar, Nairobi, Tunis, Haifa, Amman, Izmir, Lima, Quito, Bogota, "
        "Merida, Oaxaca"
    ),
    "month": ("January, February, March, April, May, June, July, August, September, October, November, December"),
    "weekday": "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday",
    "relation": (
        "sister, brother, mother, father, aunt, uncle, neighbour, colleague, flatmate, cousin, niece, "
        "nephew, grandmother, landlord, teacher, trainer, editor, doctor"
    ),
    "colour": ("red, green, blue, yellow, black, white, grey, orange, violet, brown, turquoise, beige, crimson, silver"),
    "feeling": ("relieved, anxious, proud, tired, delighted, annoyed, curious, hopeful, grateful, disappointed, calm, nervous"),
}

TOPICS: Sequence[Topic] = (
    Topic(
        (
            "{who} is taking the {transport} from {place} to {place2} on {day} {month}.",
            "the {transport} to {place2} leaves at {hour} and takes {n} hours.",
            "in {place2} {who} stays at a {lodging} near the {sight}, {euros} euros for {n} nights.",
            "{who} forgot the {item} in {place} and had it sent on by post.",
        ),
        ("How does {who} get to {place2}?", "Where does {who} stay in {place2}?", "What did {who} leave behind in {place}?"),
        {
            "transport": "ferry, night train, coach, tram, early flight, rental car, cargo ship, bicycle",
            "lodging": "hostel, farmhouse, small hotel, campsite, guest room, houseboat, monastery, mountain hut",
            "sight": "cathedral, harbour, botanical garden, old bridge, fish market, observatory, castle, opera house",
            "item": "passport, phone charger, rain jacket, sketchbook, sunglasses, house keys, umbrella, camera",
        },
    ),
    Topic(
        (
            "{who} has had {symptom} since {month} and takes {n} milligrams of {drug} every morning.",
            "the {specialist} in {place} found nothing serious and wants to see {who} again in {n} weeks.",
            "{who} is allergic to {allergen}, so nothing with it may be on the table.",
            "the appointment with the {specialist} is on {weekday} at {hour}.",
        ),
        ("What is {who} allergic to?", "Which medicine does {who} take?", "When does {who} see the {specialist}?"),
        {
            "symptom": "back pain, headaches, a dry cough, trouble sleeping, a stiff neck, dizziness, a rash, heartburn",
            "drug": "ibuprofen, levothyroxine, metformin, cetirizine, ramipril, omeprazole, sertraline, vitamin D",
            "specialist": "dentist, cardiologist, eye doctor, physiotherapist, dermatologist, allergist, surgeon",
            "allergen": "peanuts, shellfish, birch pollen, penicillin, cat hair, sesame, wasp stings, latex, lupin",
        },
    ),
    Topic(
        (
            "the {project} project has to be delivered by {day} {month}, and {who} is responsible for the {part}.",
            "{who} moved the {meeting} to {weekday} at {hour} because {who2} is in {place}.",
            "the budget for the {part} was cut by {hundreds} euros after the {meeting}.",
            "{who} was {feeling} when the client in {place} praised the {part}.",
        ),
        ("Who is responsible for the {part}?", "When is the {meeting}?", "By when is the {project} project due?"),
        {
            "project": "Heron, Lighthouse, Granite, Saffron, Meridian, Orchard, Kestrel, Bluebird, Foxglove, Tundra",
            "meeting": "kick-off, weekly review, board meeting, retrospective, job interview, budget call, workshop",
            "part": ("data model, landing page, payment form, translation, user research, test plan, report, prototype"),
        },
    ),
    Topic(
        (
            "{who} likes {dish} best with {spice} and a lot of {vegetable}.",
            "for {n} people the {dish} needs {hundreds} grams of {vegetable} and {n} minutes more in the oven.",
            "{who}'s {relation} learned to make {dish} in {place} in {year}.",
            "we ate {dish} at the {restaurant} in {place}, and the {spice} was too much for {who}.",
        ),
        ("What does {who} like to eat?", "How much {vegetable} goes into the {dish}?", "Where did we eat {dish}?"),
        {
            "dish": ("risotto, lentil soup, paella, dumplings, moussaka, ramen, apple strudel, fish stew, tagine, pierogi"),
            "spice": "cumin, smoked paprika, ginger, cardamom, sumac, nutmeg, black pepper, thyme, saffron, mustard",
            "vegetable": "leek, aubergine, spinach, fennel, carrots, pumpkin, cabbage, celery, tomatoes, mushrooms",
            "restaurant": "Blue Door, Old Mill, Three Herons, Copper Pan, Green Parrot, Station Buffet, Salt House",
        },
    ),
    Topic(
        (
            "{who} adopted a {colour} {animal} called {pet} from a shelter in {place}.",
            "{pet} the {animal} is {n} years old, afraid of {fear}, and eats {hundreds} grams a day.",
            "the vet in {place} vaccinated {pet} on {day} {month} for {euros} euros.",
            "{who}'s {relation} looks after {pet} whenever {who} travels to {place2}.",
        ),
        ("What is {who}'s {animal} called?", "What is {pet} afraid of?", "Who looks after {pet}?"),
        {
            "animal": "greyhound, cat, parrot, rabbit, tortoise, pony, hamster, terrier, goat, canary",
            "pet": "Saffron, Biscuit, Odin, Pepper, Mochi, Clementine, Rufus, Nala, Pixel, Waffle, Juno, Basil",
            "fear": "thunder, vacuum cleaners, the post van, stairs, balloons, fireworks, umbrellas, geese",
        },
    ),
    Topic(
        (
            "the {plant} in {who}'s garden flowered {n} days late this {month}.",
            "{who} planted {n} {plant} seedlings behind the {spot} and waters them at {hour}.",
            "the {pest} ate half of the {plant}, so {who} now uses {remedy}.",
            "{who}'s {relation} in {place} swaps {plant} cuttings for honey.",
        ),
        ("What does {who} grow behind the {spot}?", "What helps against {pest}?", "When did the {plant} flower?"),
        {
            "plant": "peony, tomato, lavender, fig, rhubarb, dahlia, courgette, blackcurrant, magnolia, hop, quince",
            "spot": "shed, greenhouse, compost heap, garage, pond, south wall, beehives",
            "pest": "slugs, aphids, voles, pigeons, caterpillars, mildew, wireworms",
            "remedy": "nettle tea, copper tape, netting, soap water, crushed eggshells, ladybirds, marigolds",
        },
    ),
    Topic(
        (
            "{who} practises the {instrument} for {n} minutes a day and plays in a {ensemble} in {place}.",
            "the {ensemble} performs {composer} at the {venue} on {day} {month}; tickets cost {euros} euros.",
            "{who} inherited a {colour} {instrument} from {year} from a {relation}.",
            "{who} was {feeling} after the audition with {composer}.",
        ),
        ("Which instrument does {who} play?", "What does the {ensemble} perform?", "From whom is {who}'s {instrument}?"),
        {
            "instrument": "violin, cello, trombone, accordion, clarinet, harp, banjo, oboe, double bass, mandolin",
            "ensemble": "string quartet, brass band, folk group, chamber choir, jazz trio, student orchestra",
            "composer": "Dvorak, Piazzolla, Clara Schumann, Bartok, Ravel, Purcell, Grieg, Shostakovich, Faure",
            "venue": "town hall, old brewery, St Anne's church, river stage, conservatory, planetarium",
        },
    ),
    Topic(
        (
            "{who} transferred {euros} euros for the {bill} on {day} {month}.",
            "the {bill} went up by {n} per cent, and {who} wants to change the provider before {month2}.",
            "{who} saves {hundreds} euros a month for a {goal}.",
            "{who}'s {relation} lent {euros} euros for the {goal} and wants it back by {year}.",
        ),
        ("How much was the {bill}?", "What is {who} saving for?", "Who lent {who} money?"),
        {
            "bill": ("electricity bill, rent, dental invoice, car insurance, broadband contract, property tax, gas bill"),
            "goal": "sailing boat, new roof, piano, trip to Patagonia, wedding, electric bicycle, kiln, workshop",
        },
    ),
    Topic(
        (
            "{who} is writing a thesis on {subject} at the university of {place} and hands it in on {day} {month}.",
            "the lecture on {subject} is every {weekday} at {hour} in room {hundreds}.",
            "{who} passed the exam in {subject} with {n} points and was {feeling}.",
            "{who} reads a {colour} paperback about {subject} from {year} that a {relation} recommended.",
        ),
        ("What does {who} study?", "Where is the lecture on {subject}?", "How did {who} do in {subject}?"),
        {
            "subject": (
                "glacier retreat, medieval trade, number theory, bird migration, Roman law, soil chemistry, "
                "sign languages, coral reefs, steam engines, Byzantine mosaics, game theory, volcanoes, "
                "papermaking, tidal power"
            ),
        },
    ),
    Topic(
        (
            "{who} ran the {race} in {place} in {n} minutes less than in {year}.",
            "training is on {weekday} at {hour} behind the {site}, with {who2} as the coach.",
            "{who} hurt a {limb} while {sport} and pauses for {n} weeks.",
            "the new {colour} {gear} for {sport} cost {euros} euros in {place2}.",
        ),
        ("Where does {who} train?", "How did {who} get hurt?", "What did the {gear} cost?"),
        {
            "race": "half marathon, cross-country race, triathlon, relay, mountain run, charity run",
            "site": "stadium, swimming hall, school, boathouse, climbing wall, velodrome",
            "limb": "knee, ankle, shoulder, wrist, hip, elbow, toe",
            "sport": "climbing, rowing, fencing, playing handball, skating, judo, surfing, orienteering, badminton",
            "gear": "shoes, helmet, racket, harness, wetsuit, jersey, gloves",
        },
    ),
    Topic(
        (
            "the {machine} in the {room} broke on {weekday} and was repaired by {who} for {euros} euros.",
            "{who} painted the {room} {colour} and needed {n} litres.",
            "the spare key for the {room} hangs behind the {furniture}.",
            "{who} bought a {furniture} from {year} at the flea market in {place}.",
        ),
        ("Who repaired the {machine}?", "Where is the key for the {room}?", "What colour is the {room}?"),
        {
            "machine": "dishwasher, boiler, washing machine, extractor fan, printer, router, fridge, doorbell",
            "room": "kitchen, attic, cellar, guest room, bathroom, workshop, hallway, nursery",
            "furniture": "bookcase, mirror, grandfather clock, wardrobe, chest of drawers, folding table, sideboard",
        },
    ),
    Topic(
        (
            "the {service} answers with error {hundreds} since {who} changed the {setting} on {weekday}.",
            "{who} moved the {service} to a machine in {place} with {n} processors.",
            "after {n} hours {who} found that the {setting} of the {service} was read twice.",
            "the backup of the {service} runs at {hour} and keeps {n} days.",
        ),
        ("What is wrong with the {service}?", "Where does the {service} run?", "How long are backups of the {service} kept?"),
        {
            "service": "mail server, search index, billing job, login page, message queue, photo archive, proxy",
            "setting": "time-out, certificate, cache size, time zone, character set, retry limit, disk quota, log level",
        },
    ),
    Topic(
        (
            "{who}'s {relation} turns {n} on {day} {month} and wishes for {gift}.",
            "{who} and {who2} met in {place} in {year} and were married in {place2}.",
            "{who} gave {who2} {gift}, wrapped in {colour} paper, and {who2} was {feeling}.",
            "the reunion of {who}'s family is in {place} every {n} years, always on a {weekday}.",
        ),
        ("When is the birthday of {who}'s {relation}?", "Where did {who} and {who2} meet?", "What did {who2} get from {who}?"),
        {
            "gift": (
                "a telescope, hand-knitted socks, a puzzle of the moon, binoculars, a recipe book, "
                "a record player, a fountain pen, gardening gloves, a kite, a chess clock, a map of the city, "
                "opera tickets"
            ),
        },
    ),
    Topic(
        (
            "at {hour} on {day} {month} {who} saw {n} {bird} near {place}.",
            "the storm of {month} {year} tore down the {colour} {thing} in {place}.",
            "it rained for {n} days in {place}, and the {thing} stayed closed.",
            "{who} counts {bird} every {weekday} for a survey that began in {year}.",
        ),
        ("Where were the {bird}?", "What happened in the storm in {place}?", "What does {who} count?"),
        {
            "bird": "cranes, swifts, kingfishers, storks, lapwings, owls, cormorants, waxwings, puffins, bee-eaters",
            "thing": ("footbridge, circus tent, lighthouse lamp, bus shelter, pier, weather vane, scaffolding, open-air pool"),
        },
    ),
)
