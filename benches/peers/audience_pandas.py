"""The four-condition audience in pandas, from columns in memory: masks, then one groupby."""

import measure  # first: it binds the process

import audience
import pandas as pd

events = pd.DataFrame(audience.columns())


def members():
    def since(days):
        return events["ts"] > audience.AS_OF - days * audience.DAY

    order = events["kind"] == audience.ORDER
    cart = (events["kind"] == audience.CART) & (events["cents"] > audience.MIN_PRICE_CENTS)
    people = pd.DataFrame({
        "pid": events["pid"],
        "spend": events["cents"].where(order, 0),
        "last": events["ts"],
        "carts": cart & since(7),
        "orders": order & since(14),
    }).groupby("pid", sort=False).agg({"spend": "sum", "last": "max", "carts": "sum", "orders": "sum"})
    found = people[
        (people["spend"] >= audience.MIN_SPEND_CENTS)
        & (people["last"] > audience.AS_OF - 30 * audience.DAY)
        & (people["carts"] >= audience.MIN_CARTS)
        & (people["orders"] == 0)
    ]
    return found.index.tolist()


audience.run(members)
