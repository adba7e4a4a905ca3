"""Splink on DuckDB with its documented recipe for people: deterministic rules for the prior, u from random pairs, m by EM in
two blocks, predictions clustered at 0.95."""

import measure  # first: it binds the process

import pandas as pd
import people
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

meter = measure.Meter()
frame = pd.read_csv(measure.arguments.data, dtype=str)
truth = frame.pop("cluster")
blocks = [
    block_on("email"),
    block_on("phone"),
    block_on("date_of_birth", "given_name"),
    block_on("date_of_birth", "surname"),
    block_on("given_name", "surname"),
    block_on("surname", "postcode"),
    block_on("given_name", "postcode"),
    block_on("date_of_birth", "postcode"),
    block_on("address_1", "street_number"),
    block_on("device_id"),
]
settings = SettingsCreator(
    link_type="dedupe_only",
    unique_id_column_name="rec_id",
    comparisons=[
        cl.JaroWinklerAtThresholds("given_name", [0.92, 0.85]).configure(term_frequency_adjustments=True),
        cl.JaroWinklerAtThresholds("surname", [0.92, 0.85]).configure(term_frequency_adjustments=True),
        cl.DamerauLevenshteinAtThresholds("date_of_birth", [1, 2]),
        cl.DamerauLevenshteinAtThresholds("email", [2]),
        cl.DamerauLevenshteinAtThresholds("phone", [1]),
        cl.JaroWinklerAtThresholds("address_1", [0.9]),
        cl.ExactMatch("postcode").configure(term_frequency_adjustments=True),
        cl.ExactMatch("device_id"),
    ],
    blocking_rules_to_generate_predictions=blocks,
)
backend = DuckDBAPI()
backend._con.execute(f"SET threads = {measure.arguments.threads}")
try:
    linker = Linker(frame, settings, backend)
except Exception:  # Splink 5 registers its input first
    linker = Linker(backend.register(frame), settings)
training = linker.training
training.estimate_probability_two_random_records_match([blocks[0], block_on("given_name", "surname", "date_of_birth")], recall=0.7)
training.estimate_u_using_random_sampling(max_pairs=1e6)
training.estimate_parameters_using_expectation_maximisation(block_on("given_name", "surname"))
training.estimate_parameters_using_expectation_maximisation(block_on("date_of_birth"))
predictions = linker.inference.predict(threshold_match_probability=0.5)
clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(predictions, threshold_match_probability=0.95)
found = clusters.as_pandas_dataframe()
figures = meter.stop()
found = frame[["rec_id"]].merge(found[["rec_id", "cluster_id"]], on="rec_id", how="left")
measure.say(rows=len(frame), **figures, **people.quality(found["cluster_id"].tolist(), truth.tolist()))
