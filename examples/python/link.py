"""Which rows are the same person: link, review what is doubtful, explain a pair, measure against labels."""

import cdp

people = [
    {"rec_id": 1, "first_name": "Robert", "surname": "Allen", "dob": "1971-05-24", "email": "roberta25@smith.net", "city": "London"},
    {"rec_id": 2, "first_name": "Rob", "surname": "Allen", "dob": "1971-06-24", "email": "roberta25@smith.net", "city": "London"},
    {"rec_id": 3, "first_name": "Robert", "surname": "Alen", "dob": "1971-06-24", "email": None, "city": "Lonon"},
    {"rec_id": 4, "first_name": "Grace", "surname": "Kelly", "dob": "1997-04-26", "email": "grace@kelly.org", "city": "Hull"},
    {"rec_id": 5, "first_name": "Kelly", "surname": "Grace", "dob": "1997-04-26", "email": "grace@kelly.org", "city": "Hull"},
    {"rec_id": 6, "first_name": "Logan", "surname": "Pugh", "dob": "2012-06-19", "email": "logan@bates.net", "city": "York"},
]

links = cdp.link(people)
print("columns:", links.recognized)
print("verdict:", links.quality["verdict"])
for row in links.clusters:
    print(f"  record {row['record_id']} belongs to {row['cluster_id']}")

print("to review:")
for pair in links.pairs:
    if pair["band"] == "review":
        print(f"  {pair['left']} and {pair['right']}: {pair['probability']:.2f}")

why = links.explain(1, 2)
print(f"1 and 2: {why['weight']:.1f} bits, {why['band']}")
for part in why["parts"]:
    print(f"  {part['weight']:+6.1f}  {part['part']}" + (f": {part['level']}" if part["level"] else ""))

# What a person decided holds from then on.
links = cdp.link(people, cannot_link=[(4, 5)])
found = links.evaluate({1: "robert", 2: "robert", 3: "robert", 4: "grace", 5: "kelly", 6: "logan"})
print(f"clusters: precision {found['clusters']['precision']:.2f}, recall {found['clusters']['recall']:.2f}")
