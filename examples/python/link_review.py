"""Linking step by step, on made-up people: the roles, the verdict, clusters, what a person should review, why, and how good it is.

Runs as a script, and cell by cell in editors that know `# %%`.
"""

import random

import cdp

# %% People with the errors of real ones; households share surname, address, phone and sometimes a device.
chance = random.Random(7)
GIVEN = "james mary robert patricia john jennifer michael linda david elizabeth william barbara thomas susan".split()
SURNAMES = [start + end for start in "ash bran col dal fen gar hol kel mar wes".split() for end in "ton ley field son er".split()]
SHORT = {"robert": "bob", "william": "bill", "james": "jim", "michael": "mike", "elizabeth": "liz", "thomas": "tom"}


def mistyped(text):
    place = chance.randrange(len(text) - 1)
    return text[:place] + text[place + 1] + text[place] + text[place + 2 :]


def record_of(person):
    record = dict(person)
    if chance.random() < 0.2:
        record["first_name"] = SHORT.get(record["first_name"], record["first_name"])
    for field in ("first_name", "last_name", "email"):
        if chance.random() < 0.08:
            record[field] = mistyped(record[field])
    if chance.random() < 0.1:
        record["phone"] = f"+44 20 {chance.randrange(10**7, 10**8)}"
    for field in ("birthday", "phone", "email"):
        if chance.random() < 0.15:
            record[field] = None
    return record


records, truth = [], {}
for household in range(250):
    home = {
        "last_name": chance.choice(SURNAMES),
        "phone": f"+44 20 {chance.randrange(10**7, 10**8)}",
        "street": f"{chance.randrange(1, 150)} {chance.choice(['mill', 'church', 'park', 'station'])} street",
        "city": chance.choice(["Hull", "York", "Leeds", "Bath"]),
        "device": f"{chance.getrandbits(64):016x}",
    }
    for member in range(chance.choice([1, 1, 2, 3])):
        given = chance.choice(GIVEN)
        born = f"{chance.randrange(1940, 2005)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}"
        email = f"{given}.{home['last_name']}{chance.randrange(100)}@mail.com"
        person = {"first_name": given, "birthday": born, "email": email, **home}
        for _ in range(chance.choice([1, 1, 2, 3])):
            truth[len(records)] = f"{household}-{member}"
            records.append({"id": len(records), **record_of(person)})
print(f"{len(records)} records of {len(set(truth.values()))} people")

# %% Link with defaults. The verdict comes without labels: `held_out` is the share of expected matches that a column confirms
# which was not used to expect them.
links = cdp.link(records)
quality = links.quality
print("roles:", links.recognized)
print(f"verdict: {quality['verdict']}, held out {quality['held_out']:.2f}, expected precision {quality['expected_precision']:.3f}")
assert quality["verdict"] == "green"

# %% Wrongly mapped columns are refused: nothing is linked.
wrong = cdp.link(records, columns={"city": "national_id", "first_name": "ignore", "birthday": "ignore", "email": "ignore"})
print(f"wrongly mapped: {wrong.quality['verdict']}: {wrong.quality['reasons'][0]}")
assert wrong.quality["verdict"] == "red"
assert len(set(wrong.clusters["cluster_id"])) == len(records)

# %% What a person should look at, the doubtful first.
suggestions = sorted((pair for pair in links.pairs if pair["band"] == "review"), key=lambda pair: pair["probability"])
print(f"{len(suggestions)} pairs to review")

# %% Why: the parts add up to the weight exactly.
pair = suggestions[0]
why = links.explain(pair["left"], pair["right"])
print(f"{pair['left']} and {pair['right']}: {why['weight']:.2f} bits, probability {why['probability']:.2f}, found by {', '.join(why['rules'])}")
total = 0.0
for part in why["parts"]:
    total += part["weight"]
    level = f": {part['level']} (m {part['m']:.3f}, u {part['u']:.5f})" if part["level"] else ""
    print(f"  {part['weight']:+7.2f}  {total:+7.2f}  {part['part']}{level}")
assert total == why["weight"]

# %% The reviewer's decisions hold from then on (here the truth decides).
same = [(pair["left"], pair["right"]) for pair in suggestions if truth[pair["left"]] == truth[pair["right"]]]
different = [(pair["left"], pair["right"]) for pair in suggestions if truth[pair["left"]] != truth[pair["right"]]]
reviewed = cdp.link(records, must_link=same, cannot_link=different)

# %% How good it is, against labels.
for name, found in (("before review", links.evaluate(truth)), ("after review", reviewed.evaluate(truth))):
    scores, blocking = found["clusters"], found["blocking_recall"]
    print(f"{name}: precision {scores['precision']:.3f}, recall {scores['recall']:.3f}, F1 {scores['f1']:.3f}, blocking {blocking:.3f}")
assert reviewed.evaluate(truth)["clusters"]["f1"] >= links.evaluate(truth)["clusters"]["f1"] > 0.95
