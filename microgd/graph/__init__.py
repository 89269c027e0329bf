"""The view of a computation: its graph read off the tape, narrated step by step and drawn.

Read in this order: ``trace`` (where values and names come from), ``view`` (the graph as a reader knows it),
``formulas`` (derivatives in the user's names), ``steps`` and ``telling`` (the chain rule told: ``explain``), ``layout``
and ``groups`` (its picture: ``draw``).
"""
