"""The benchmarks compute what they say: at small sizes every runner gives the answers derived by hand.

Peers that are not installed are skipped with the reason; microgd and NumPy always run.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import measure, runner
from benchmarks.run import ratio_cell
from benchmarks.work import SMALL, WORKS
from benchmarks.work.base import RUNNERS

PEERS = [name for name in RUNNERS if name != "numpy"]


def test_every_work_has_a_small_version():
    assert list(SMALL) == list(WORKS)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.filterwarnings("default")  # the peers' own warnings are not ours
def test_runner_agrees_with_the_derivative_by_hand(name, peer):
    work = SMALL[name]
    answers = {}
    for who in ("numpy", peer):
        reason = runner.prepare(work, who)
        if reason:
            pytest.skip(f"{who}: {reason}")
        answers[who] = [runner.answers() for _ in range(measure.CHECKED_CALLS)]
    for got, expected in zip(answers[peer], answers["numpy"], strict=True):
        measure.compare(got, expected, work, peer)


def test_a_wrong_answer_is_refused():
    right, wrong = [np.array([1.0, 2.0])], [np.array([1.0, 2.001])]
    measure.compare(right, right, SMALL["mlp"], "numpy")
    with pytest.raises(ValueError, match="answer 0 differs"):
        measure.compare(wrong, right, SMALL["mlp"], "someone")
    with pytest.raises(ValueError, match="shapes"):
        measure.compare([np.ones((2, 1))], right, SMALL["mlp"], "someone")


def test_ratios_are_taken_round_by_round():
    result = measure.Result({"microgd": [1.0, 4.0, 1.0], "torch": [2.0, 4.0, 4.0]}, {})
    assert result.ratios("torch").tolist() == [0.5, 1.0, 0.25]
    assert "missed" in ratio_cell("line", result, "torch")


def test_measuring_in_processes():
    result = measure.measure(SMALL["scalar_chain"], ("microgd", "numpy", "micrograd"), seconds=0)
    assert {who: len(times) for who, times in result.times.items()} == {"microgd": 5, "numpy": 5}
    assert list(result.absent) == ["micrograd"]
