"""The view of a computation: its graph read off the tape, narrated step by step and drawn.

Read in this order: ``trace`` (where values and names come from), ``view`` (the graph as a reader knows it),
``formulas`` (derivatives in the user's names), ``explain`` (the chain rule told), ``layout``, ``draw`` (the picture).
"""
