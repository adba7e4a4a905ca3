"""Cohorts of customers from what they buy: described, then learned, with top terms and members by score.

    python cohorts.py                        a made-up shop
    python cohorts.py online_retail.csv.gz   the UCI Online Retail file (541,909 order lines; not part of this repository)

Nobody labels a customer by hand here. Cohorts are described in words and customers join by likeness of the product names they
bought; the surest members of each then teach a model, which knows far more words than the descriptions and says how sure it is.
"""

import random
import sys
from pathlib import Path

import cdp

COHORTS = [
    {"cohort": "baking", "description": "baking and tea time", "keywords": ["cake", "cakestand", "cupcake", "teapot", "baking set", "teacup"]},
    {"cohort": "christmas", "description": "christmas decorations", "keywords": ["christmas", "advent", "star", "reindeer", "santa", "snowflake"]},
    {"cohort": "bags", "description": "bags for shopping and lunch", "keywords": ["jumbo bag", "lunch bag", "shopper", "tote", "shoulder bag"]},
    {"cohort": "lights", "description": "candles and lights", "keywords": ["candle", "t-light holder", "lantern", "lights", "lamp"]},
]
SURE = 30

SHELVES = {
    "baking": "RETRO CAKESTAND,PACK OF CAKE CASES,SPOTTY TEAPOT,CUPCAKE TIN,BAKING SET ROSES,ENAMEL WHISK BOWL,RECIPE BOX ROSES",
    "christmas": "CHRISTMAS GINGHAM STAR,WOODEN ADVENT HOUSE,REINDEER HANGER,SANTA GARLAND,SNOWFLAKE GARLAND,FELT ROBIN HANGER",
    "bags": "JUMBO BAG DOTTY,LUNCH BAG WOODLAND,SHOPPER SKULLS,TOTE DOTTY,SHOULDER BAG WOODLAND,SKULLS PURSE",
    "lights": "T-LIGHT HOLDER HEART,GLASS LANTERN,SCENTED CANDLE JAR,FAIRY LIGHTS HEART,OIL LAMP GLASS,SNUFFER BRASS",
    "": "PARTY BUNTING,WALL CLOCK,DOORMAT WELCOME,UMBRELLA FLORAL",
}


def made_up_lines() -> list[dict[str, object]]:
    """Two hundred customers who buy mostly from one shelf; a fifth of the lines are from anywhere."""
    chance = random.Random(7)
    pick = lambda items: items[int(chance.random() * len(items))]  # noqa: E731 (`choice` may differ between versions of Python)
    shelves = {name: names.split(",") for name, names in SHELVES.items()}
    lines = []
    for customer in range(200):
        home = sorted(shelves)[customer % len(shelves)]
        for line in range(3 + int(chance.random() * 5)):
            shelf = home if chance.random() < 0.8 else pick(sorted(shelves))
            lines.append({
                "InvoiceNo": str(500000 + customer), "StockCode": str(line), "Description": pick(shelves[shelf]), "Quantity": "1",
                "InvoiceDate": f"2011-{1 + customer % 12:02}-{1 + customer % 28:02} 12:00:00", "UnitPrice": "2.5",
                "CustomerID": f"{12000 + customer}.0", "Country": "United Kingdom",
            })  # fmt: skip
    return lines


db = cdp.open(clock="2011-12-10T00:00:00Z", id_seed="cohorts")
db.define(Path(__file__).parent.parent / "online_retail/definitions/shop_csv.json")
texts = [{"event": "Order Line Purchased", "property": "name"}]
described = {"kind": "predictor", "name": "described", "task": "cohort", "text": texts, "cohorts": COHORTS, "threshold": 0.12}
db.define(described)
receipt = db.ingest(sys.argv[1] if len(sys.argv) > 1 else made_up_lines(), source="shop_csv")
print(f"{receipt.accepted:,} order lines of {receipt.new_profiles:,} customers")

print("\ndescribed in words, by likeness of word pieces, without a label:")
labels = {}
for cohort in [cohort["cohort"] for cohort in COHORTS]:
    members = db.cohort_members("described", cohort)
    labels[cohort] = [{"user_id": row["user_id"]} for row in list(members)[:SURE]]
    print(f"  {cohort:<10} {len(members):>5} members, the first with {members[0]['score']:.2f}")

# The surest members of each cohort are its labels.
db.define({"kind": "predictor", "name": "learned", "task": "cohort", "text": texts, "label": {"list": labels}, "min_df": 2, "threshold": 0.5})
report = db.train("learned")
print(f"\nlearned from the {report['rows']} surest; on {report['held_out']['rows']} held-out ones {report['held_out']['accuracy']:.0%} right:")
for found in report["classes"]:
    members = db.cohort_members("learned", found["cohort"])
    print(f"  {found['cohort']:<10} {len(members):>5} members; {', '.join(found['top_terms'][:6])}")

print("\nmembers of christmas by score:")
for row in db.cohort_members("learned", "christmas", limit=4):
    print(f"  {row['user_id']}  {row['score']:.2f}  {'labelled ' + row['label'] if row['label'] else 'found by the model'}")

customer = next(row for row in db.cohort_members("learned", "christmas") if row["label"] is None)
why = db.explain_prediction("learned", user_id=customer["user_id"], top_k=4)
print(f"\nwhy {customer['user_id']} is {why['cohort']}:")
for part in why["contributions"]:
    print(f"  {part['term']:<12} {part['logit']:+.2f}")
