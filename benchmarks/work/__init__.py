"""The works in the order of the table, and the same at sizes for a quick test."""

from benchmarks.work.adam import Adam
from benchmarks.work.base import Work
from benchmarks.work.classifier import Classifier
from benchmarks.work.hessian import Hessian
from benchmarks.work.indexing import Embedding, Reads
from benchmarks.work.line import Line
from benchmarks.work.logistic import Logistic
from benchmarks.work.micrograd_demo import MicrogradDemo
from benchmarks.work.mlp import MLP
from benchmarks.work.rnn import RNN
from benchmarks.work.scalar_chain import ScalarChain
from benchmarks.work.tanh_chain import TanhChain

WORKS: dict[str, Work] = {
    "line": Line(),
    "mlp": MLP(),
    "classifier": Classifier(),
    "logistic": Logistic(),
    "tanh_chain": TanhChain(),
    "rnn": RNN(),
    "micrograd_demo": MicrogradDemo(),
    "adam_many": Adam(100, (64, 64), "Adam step, 100 parameters of 64 x 64"),
    "adam_one": Adam(1, (4_000_000,), "Adam step, one parameter of 4,000,000"),
    "adam_many_fused": Adam(100, (64, 64), "the same, 100 of 64 x 64, PyTorch fused", fused=True),
    "adam_one_fused": Adam(1, (4_000_000,), "the same, one of 4,000,000, PyTorch fused", fused=True),
    "scalar_chain": ScalarChain(),
    "hessian": Hessian(),
    "reads": Reads(),
    "embedding": Embedding(),
}

SMALL: dict[str, Work] = {
    "line": Line(points=5, steps=3),
    "mlp": MLP(batch=4, inputs=3, hidden=5),
    "classifier": Classifier(batch=4, sizes=(6, 5, 4, 3)),
    "logistic": Logistic(rows=20, features=3),
    "tanh_chain": TanhChain(size=10, length=3),
    "rnn": RNN(steps=4, hidden=3, batch=2),
    "micrograd_demo": MicrogradDemo(points=4, hidden=3),
    "adam_many": Adam(3, (4, 4), "Adam, small"),
    "adam_one": Adam(1, (50,), "Adam, small"),
    "adam_many_fused": Adam(3, (4, 4), "Adam, small, fused", fused=True),
    "adam_one_fused": Adam(1, (50,), "Adam, small, fused", fused=True),
    "scalar_chain": ScalarChain(length=20),
    "hessian": Hessian(rows=20, features=3),
    "reads": Reads(reads=3, size=5),
    "embedding": Embedding(entries=6, width=2, reads=9),
}
