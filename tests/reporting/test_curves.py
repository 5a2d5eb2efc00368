"""Curves as a chart shows them: their mean over seeds, smoothed, with fewer points."""

from cli.reporting.curves import MOST_POINTS, mean_curve, smoothed, thinned, window


def test_the_mean_is_of_steps_that_half_of_the_curves_have():
    assert mean_curve([[(1, 2.0), (2, 4.0)], [(1, 4.0)], [(1, 6.0)]]) == [(1, 4.0)]


def test_a_short_curve_is_not_smoothed():
    curve = [(float(at), float(at % 2)) for at in range(10)]
    assert window(10) == 1 and smoothed(curve) == curve


def test_a_long_curve_is_smoothed_and_keeps_its_ends():
    curve = [(float(at), float(at % 2)) for at in range(61)]
    inner = [value for _, value in smoothed(curve)[5:-5]]
    assert window(61) == 5 and all(0.3 < value < 0.7 for value in inner)
    assert (smoothed(curve)[0], smoothed(curve)[-1]) == (curve[0], curve[-1])


def test_a_thinned_curve_keeps_its_last_point():
    curve = [(float(at), 0.0) for at in range(1, 1000)]
    made = thinned(curve)
    assert len(made) <= MOST_POINTS + 1 and (made[0], made[-1]) == (curve[0], curve[-1])
    assert thinned([]) == []
