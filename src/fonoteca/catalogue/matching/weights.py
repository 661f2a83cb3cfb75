"""What each grade weighs, as `python -m bench.match fit` prints it: see docs/decisions/match.md.

Fitted on 90,637 questions about a synthetic catalogue (seed 7) and the starter catalogue,
seeds 3, 11 and 100 to 103; one half for the weights,
the other for the calibration.
"""

WEIGHTS: dict[str, tuple[float, ...]] = {
    "title": (2.51, 7.67, 5.19, 4.32, -3.41, -1.70, -3.86, -6.08, 6.49, 4.27, 2.84, 1.84, 1.08, -1.14, -6.10),
    "numbers": (-1.72, -4.99, -7.25),
    "version": (-0.16, -3.74),
    "credit": (2.52, 3.63, 0.63, 3.00, 0.11, -0.71, 0.79, 1.99, 3.51, 3.03, 2.79, 1.22, -5.22, -11.57),
    "duration": (1.01, 5.42, 3.88, -0.84, -1.92, -11.13),
    "isrc": (-2.56, 5.18, -7.63),
}
"""Of each grade of `weighing.GRADES`, in order."""
RANK_WEIGHT = 0.168
"""What is taken off for each unit of ln(rank): what is heard more is asked for more."""
NONE_WEIGHT = -0.54
CALIBRATION: tuple[tuple[float, ...], tuple[float, ...]] = (
    (
        0,
        0.00301779,
        0.0551354,
        0.139862,
        0.249143,
        0.400005,
        0.54487,
        0.649651,
        0.756155,
        0.823868,
        0.883106,
        0.927204,
        0.975187,
        0.992818,
        0.998066,
        0.999446,
        0.999972,
        0.999998,
        1,
    ),
    (
        0,
        0.00584792,
        0.0791351,
        0.289356,
        0.572704,
        0.715436,
        0.781292,
        0.828935,
        0.853121,
        0.921685,
        0.952647,
        0.980926,
        0.981715,
        0.992959,
        0.998097,
        0.999174,
        0.999678,
        0.999817,
        0.999817,
    ),
)
"""Raw scores, and the share of answers with such a score that was right."""
