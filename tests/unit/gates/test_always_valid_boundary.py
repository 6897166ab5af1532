"""The boundary that allows looking all the time, and its tails of Student's t."""

import itertools
import math
from statistics import NormalDist

import pytest

from shoal.controller.gates.boundary import mixture_z, t_calibrated

ALPHAS = (0.05, 0.0125, 0.001)
RATIOS = [10.0**power for power in range(-6, 9)]
# The value of Student's t whose tail is as likely as the normal one's beyond z, by scipy 1.17.
EXACT = {
    10: {1.645: 1.812646, 2.5: 3.042037, 3.3: 4.608907},
    17: {1.645: 1.739774, 2.5: 2.795620, 3.3: 3.980680},
    30: {1.645: 1.697419, 2.5: 2.660063, 3.3: 3.658501},
    100: {1.645: 1.660384, 2.5: 2.546100, 3.3: 3.400795},
}


@pytest.mark.parametrize("alpha", ALPHAS)
def test_without_information_no_width_is_enough(alpha: float) -> None:
    assert mixture_z(0.0, alpha) == math.inf
    assert mixture_z(1e-12, alpha) > 1e5


@pytest.mark.parametrize("alpha", ALPHAS)
def test_more_information_narrows_the_interval(alpha: float) -> None:
    widths = [mixture_z(ratio, alpha) / math.sqrt(ratio) for ratio in RATIOS]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_looking_always_costs_more_than_looking_once(alpha: float) -> None:
    once = NormalDist().inv_cdf(1 - alpha)
    assert all(mixture_z(ratio, alpha) > once for ratio in RATIOS)


def test_a_smaller_alpha_is_wider() -> None:
    for ratio in RATIOS:
        assert mixture_z(ratio, 0.05) < mixture_z(ratio, 0.0125) < mixture_z(ratio, 0.005)


def test_the_example_of_the_docstring_and_what_a_split_of_alpha_costs() -> None:
    assert mixture_z(8, 0.05) == pytest.approx(math.sqrt(9 / 8 * (math.log(9) + 2 * math.log(10))))
    assert round(mixture_z(8, 0.05), 2) == 2.77
    assert round(mixture_z(8, 0.0125), 2) == 3.28
    assert round(mixture_z(8, 0.005), 2) == 3.58


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0, math.nan])
def test_a_level_that_is_none_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha of one side"):
        mixture_z(1.0, alpha)


@pytest.mark.parametrize("ratio", [-1.0, math.nan])
def test_negative_information_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="information is not negative"):
        mixture_z(ratio, 0.05)


@pytest.mark.parametrize("df", EXACT)
def test_the_tails_are_those_of_student_within_half_a_percent(df: int) -> None:
    for z, exact in EXACT[df].items():
        assert exact * 0.99999 < t_calibrated(z, df) < exact * 1.005


def test_few_devices_err_on_the_wide_side() -> None:
    exact = 12.281424  # df = 5, z = 4
    assert exact < t_calibrated(4.0, 5) < 1.05 * exact


def test_it_rises_in_z_falls_in_devices_and_ends_at_the_normal() -> None:
    for df in (5, 7, 20, 99):
        found = [t_calibrated(z / 10, df) for z in range(10, 50)]
        assert all(one < other for one, other in itertools.pairwise(found))
    for z in (1.645, 2.77, 4.0):
        found = [t_calibrated(z, df) for df in (5, 6, 8, 12, 20, 50, 200)]
        assert found == sorted(found, reverse=True)
        assert t_calibrated(z, 1e7) == pytest.approx(z, rel=1e-5)


def test_what_no_float_holds_is_infinite() -> None:
    assert t_calibrated(1e3, 5) == math.inf
    assert t_calibrated(math.inf, 5) == math.inf


def test_no_freedom_is_refused() -> None:
    with pytest.raises(ValueError, match="degrees of freedom are positive"):
        t_calibrated(2.0, 0)
