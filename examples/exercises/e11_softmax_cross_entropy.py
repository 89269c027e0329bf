"""Exercise 11: softmax and cross-entropy.

Row i of Z, of shape (m, k), holds a score for each of k classes; row i of Y is 1 at the true class and 0 elsewhere:

    P_ij = exp(Z_ij) / sum_c exp(Z_ic)          loss(Z) = -1/m sum_i sum_j Y_ij log(P_ij)

What is d loss / dZ, an array of the shape of Z?

Write it in the last function, in place of the three dots, then run: microgd check e11_softmax_cross_entropy.py
"""

import numpy as np

from microgd.check import exercise


def softmax(Z):
    E = np.exp(Z)
    return E / np.sum(E, axis=1, keepdims=True)


def loss(Z, Y):
    return -np.sum(Y * np.log(softmax(Z))) / len(Z)


def points(rng):
    m, k = rng.choice([5, 7]), rng.integers(3, 5)
    return rng.normal(size=(m, k)), np.eye(k)[rng.integers(k, size=m)]


@exercise(
    of=loss,
    inputs=points,
    hints=[
        "One row, with true class t: the loss is log(sum_c exp(z_c)) - z_t.",
        "The derivative of log(sum_c exp(z_c)) with respect to z_j is P_j; of -z_t it is -1 at j = t, else 0.",
        "So a row of the answer is P minus Y. The loss divides by m; so does its derivative.",
    ],
)
def loss_gradient(Z, Y):
    return ...
