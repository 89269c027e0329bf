"""The idea of microgd: calls of NumPy functions are recorded, and derivative rules are NumPy programs.

Read in this order: ``primitive`` (the table of rules), ``box`` (how NumPy calls arrive here), ``tape``
(nodes and the way back), ``tensor`` (the handle users hold), ``tree`` (containers of arrays). Nothing
in this folder imports ``ops``: operators name NumPy functions, and the table supplies their rules.
"""
