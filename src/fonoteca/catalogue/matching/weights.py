"""What each grade weighs. `python -m bench.match fit` prints this module; its docstring says of what it was fitted."""

WEIGHTS: dict[str, tuple[float, ...]] = {
    "title": (7.7, 6.8, 1.0, -3.0, 1.0, -3.0, 6.3, 6.9, 4.8, 1.8, -1.8, -4.8, -11.6),
    "digits": (1.9, -2.0),
    "version": (0.0, -4.0),
    "credit": (4.6, 4.4, 0.0, -3.0, 0.0, -3.0, 4.4, 3.8, 2.3, -0.1, -2.8, -12.8),
    "duration": (0.7, 5.1, 3.4, -1.5, -4.8, -8.4),
    "isrc": (-5.3, 8.8, -0.6),
}
NONE_WEIGHT = -1.3
CALIBRATION: tuple[tuple[float, ...], tuple[float, ...]] = ((0.0, 1.0), (0.0, 1.0))
