"""The four-condition audience in Polars, from columns in memory; masks before the grouping, its fastest form here."""

import measure  # first: it binds the process

import audience
import polars as pl

events = pl.DataFrame(audience.columns())
order, cart = pl.col("kind") == audience.ORDER, pl.col("kind") == audience.CART


def since(days):
    return pl.col("ts") > audience.AS_OF - days * audience.DAY


QUERY = (
    events.lazy()
    .select(
        "pid",
        "ts",
        spend=pl.when(order).then("cents").otherwise(0),
        carts=(cart & (pl.col("cents") > audience.MIN_PRICE_CENTS) & since(7)).cast(pl.UInt32),
        orders=(order & since(14)).cast(pl.UInt32),
    )
    .group_by("pid")
    .agg(pl.col("spend").sum(), pl.col("ts").max(), pl.col("carts").sum(), pl.col("orders").sum())
    .filter(
        (pl.col("spend") >= audience.MIN_SPEND_CENTS)
        & since(30)
        & (pl.col("carts") >= audience.MIN_CARTS)
        & (pl.col("orders") == 0)
    )
    .select("pid")
)

audience.run(lambda: QUERY.collect()["pid"].to_list())
