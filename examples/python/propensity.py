"""Who buys again within 90 days: the CDNOW purchases, a likelihood for each customer, judged beside recency alone.

    python propensity.py [CDNOW_master.txt.gz]

The model learns from three instants that lie a horizon apart and is judged on the latest by a model of the earlier ones, so
no row knows its own future. Recency alone is a hard rule to beat on this data; that it stands beside the model is the point.
"""

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import cdp

path = sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent / "data/cdnow/CDNOW_master.txt.gz"


def purchases() -> Iterator[dict[str, object]]:
    with gzip.open(path, "rt") as lines:
        for number, line in enumerate(lines):
            fields = line.split()
            if len(fields) == 4 and fields[0].isdigit():
                customer, day, discs, dollars = fields
                yield {
                    "type": "track", "event": "Order Completed", "userId": customer, "messageId": str(number),
                    "timestamp": f"{day[:4]}-{day[4:6]}-{day[6:]}T12:00:00Z",
                    "properties": {"dollars": float(dollars), "discs": int(discs)},
                }  # fmt: skip


db = cdp.open(clock="1998-07-05T00:00:00Z", id_seed="propensity")
order = {"kind": "feature", "event": "Order Completed"}
features = [
    {**order, "name": "orders", "agg": "count"},
    {**order, "name": "spend", "agg": "sum", "property": "dollars", "default": 0},
    {**order, "name": "mean", "agg": "avg", "property": "dollars", "default": 0},
    {**order, "name": "days", "agg": "distinct_days"},
]
for within in ("30d", "60d", "90d", "180d"):
    features.append({**order, "name": f"orders_{within}", "agg": "count", "within": within})
    features.append({**order, "name": f"spend_{within}", "agg": "sum", "property": "dollars", "within": within, "default": 0})
names = [feature["name"] for feature in features]
label = {"event": "Order Completed", "horizon": "90d"}
db.define([*features, {"kind": "predictor", "name": "buys_again", "task": "propensity", "features": names, "label": label}])
print(f"{db.ingest(purchases()).accepted:,} purchases")

report = db.train("buys_again")
print(f"{report['n_rows']:,} rows, {report['positives']:,} of them followed by a purchase within 90 days\n")
print(f"{'on the latest instant':<24}{'ROC AUC':>9}{'avg. prec.':>12}{'Brier':>8}{'lift at 10 %':>14}")
for name, found in [("the model", report["validation"]), ("recency alone", report["baseline"])]:
    brier = f"{found['brier']:.3f}" if name == "the model" else "-"
    print(f"{name:<24}{found['roc_auc']:>9.3f}{found['average_precision']:>12.3f}{brier:>8}{found['lift_at_tenth']:>14.2f}")
# Recency orders people, it gives no likelihood, so it has no Brier score.

said = db.predict("buys_again", user_id="00004")
print(f"\ncustomer 00004: {said['score']:.2f}, more likely than {said['percentile']:.0%} of everybody")
for part in db.explain_prediction("buys_again", user_id="00004", top_k=3)["contributions"]:
    print(f"  {part['term']:<12} {part['logit']:+.2f}")
