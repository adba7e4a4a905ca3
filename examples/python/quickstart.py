"""From events in a file to a decision and an export; the same in Rust and Node, with the same output."""

import tempfile
from pathlib import Path

import cdp

here = Path(__file__).parent.parent / "quickstart"
# A clock that stands still makes the output repeatable; leave both options out in your own application.
db = cdp.open(clock="2024-06-01T12:00:00Z", id_seed="quickstart")
db.define(here / "definitions")

receipt = db.ingest(here / "events.ndjson")
print(f"accepted {receipt.accepted}, duplicates {receipt.duplicates}, rejected {receipt.rejected}")
for reject in receipt.first_rejects:
    print(f"row {reject['row']} was kept as a reject: {reject['reason']}")

ada = db.profile(user_id="ada")
print(f"ada is also {', '.join(ada.ids['email'])} and {', '.join(ada.ids['anonymous_id'])}")
print(f"ada spent {ada.features['spend']} and is in {', '.join(ada.audiences)}")

for row in db.members("good_customers", columns=["user_id", "features.spend"], order_by="-features.spend"):
    print(f"member {row['user_id']} spent {row['features.spend']:g}")

event = {"event": "Checkout Started", "properties": {"amount": 80}}
for who in ["ada", "bob", "somebody new"]:
    decision = db.decide("checkout", user_id=who, event=event)
    print(f"{who} is offered {decision.choice['offer']}: {decision.reasons[0]}")

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "good_customers.csv"
    sent = db.export(
        audience="good_customers", path=path, purpose="marketing", channel="email", columns=["email", "features.spend"]
    )
    withheld = sent["withheld"]
    print(
        f"exported {sent['rows']}, withheld {withheld['consent_unknown']} who never chose"
        f" and {withheld['consent_denied']} who said no"
    )
    print(path.read_text(), end="")
print(f"verified: {str(db.verify()['ok']).lower()}")
db.close()
