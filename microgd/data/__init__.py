"""Data: CSV files, and sets made from a seed."""

from microgd.data.csv import Table, open_csv, read_csv
from microgd.data.synthetic import BUNDLED, hours_and_scores

__all__ = ["BUNDLED", "Table", "hours_and_scores", "open_csv", "read_csv"]
