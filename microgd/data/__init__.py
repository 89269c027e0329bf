"""Data: CSV files, and sets made from a seed."""

from microgd.data.csv import Table, read_csv
from microgd.data.synthetic import BUNDLED, hours_and_scores

__all__ = ["BUNDLED", "Table", "hours_and_scores", "read_csv"]
