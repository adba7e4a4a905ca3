"""The known figures of the UCI Online Retail file: python online_retail.py online_retail.csv.gz

The file (541,909 order lines; InvoiceNo to Country) is public and not part of this repository.
"""

import sys
from pathlib import Path

import cdp

if len(sys.argv) != 2:
    sys.exit("give the path of online_retail.csv or online_retail.csv.gz")

with cdp.open() as db:
    db.define(Path(__file__).parent / "definitions")
    receipt = db.ingest(sys.argv[1], source="shop_csv", progress=sys.stderr.isatty())
    for name, count in [
        ("rows", receipt.rows),
        ("accepted", receipt.accepted),
        ("without customer", receipt.rejected),
        ("customers", receipt.new_profiles),
    ]:
        print(f"{name:<18}{count:>14,}")
    for feature in ["orders", "gross_revenue", "refunds"]:
        # Exact decimals, for sums of money.
        values = db.feature_table([feature]).exact()[f"features.{feature}"]
        print(f"{feature:<18}{sum(value for value in values if value is not None):>14,}")
    for day in ["2011-06-15", "2011-09-15", "2011-12-10"]:
        print(f"high_value_30d on {day} {len(db.members('high_value_30d', as_of=f'{day}T00:00:00Z')):>5}")
    customer = db.profile(user_id="14646")
    print(f"customer 14646: {customer.features['gross_revenue']} from {customer.traits['country']}")
