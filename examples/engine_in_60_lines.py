"""Reverse-mode automatic differentiation in 60 lines: numbers that remember how they were made.

Every operation computes a value and leaves a closure behind, which knows one link of the chain rule: given g, the
derivative of the result by this value, it says what share of g each input gets. `backward` hands the shares out.
"""

import itertools
import math

births = itertools.count()


class Number:
    def __init__(self, value, inputs=(), shares=lambda g: ()):
        self.value, self.inputs, self.shares = value, inputs, shares
        self.grad, self.birth = 0.0, next(births)

    def __add__(self, other):
        other = other if isinstance(other, Number) else Number(other)
        return Number(self.value + other.value, (self, other), lambda g: (g, g))

    def __mul__(self, other):
        other = other if isinstance(other, Number) else Number(other)
        return Number(self.value * other.value, (self, other), lambda g: (g * other.value, g * self.value))

    def function(self, value, slope):
        """A function of this number alone, given its value and its slope here."""
        return Number(value, (self,), lambda g: (g * slope,))

    __pow__ = lambda x, n: x.function(x.value**n, n * x.value ** (n - 1))
    exp = lambda x: x.function(math.exp(x.value), math.exp(x.value))
    tanh = lambda x: x.function(math.tanh(x.value), 1 - math.tanh(x.value) ** 2)
    relu = lambda x: x.function(max(x.value, 0.0), float(x.value > 0))
    __neg__ = lambda x: x * -1
    __sub__ = lambda x, y: x + -y
    __truediv__ = lambda x, y: x * y**-1
    __radd__, __rmul__ = __add__, __mul__

    def backward(self):
        """Fill `grad` of everything this number was made from: d self / d that."""
        made_from, found = {self}, [self]
        while found:
            number = found.pop()
            number.grad = 0.0
            found += set(number.inputs) - made_from
            made_from.update(number.inputs)
        self.grad = 1.0
        for number in sorted(made_from, key=lambda number: number.birth, reverse=True):
            # Youngest first: all that was made from this number has given its share by now.
            for x, share in zip(number.inputs, number.shares(number.grad), strict=True):
                x.grad += share


if __name__ == "__main__":
    w = Number(3.0)
    for _step in range(5):
        loss = (w * 2.0 - 1.0) ** 2
        loss.backward()
        print(f"w = {w.value:.4f}   loss = {loss.value:8.4f}   d loss / d w = {w.grad:8.4f}")
        w.value -= 0.1 * w.grad
