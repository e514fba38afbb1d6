"""Writes wide.bin: arguments and results of the functions of `number/math/wide`, computed by mpmath 1.3 with
60 digits. For each function, in the order of FUNCTIONS, there are 200 rows of four little-endian `f64`: two
arguments, and the result as a sum of two numbers.

    python wide.py
"""

import pathlib
import random
import struct

from mpmath import mp, mpf
import mpmath as m

mp.dps = 60
ROWS = 200
draw = random.Random(12)


def inside(*intervals):
    """Uniform numbers of the intervals, numbers of all magnitudes with either sign, and subnormal ones."""

    def number():
        kind = draw.randrange(len(intervals) + 3)
        if kind < len(intervals):
            return draw.uniform(*intervals[kind])
        sign = draw.choice([-1.0, 1.0])
        exponent = draw.uniform(-1070, 1023) if kind == len(intervals) else draw.uniform(-60, 30)
        return sign * 2.0**exponent

    return lambda: float(number())


def near(centre):
    """Numbers beside this one, at all distances."""
    return lambda: centre * (1 + draw.choice([-1, 1]) * 2.0 ** draw.uniform(-53, -1))


def positive(source):
    return lambda: abs(source())


def erfinv(x):
    if x == 0:
        return mpf(0)
    size = abs(x)
    # The complement keeps the digits near 1.
    y = m.erfinv(size) if size < 0.999 else m.sqrt(-m.log1p(-size))
    for _ in range(60):
        step = (m.erfc(y) - (1 - size)) / (2 / m.sqrt(m.pi) * m.exp(-y * y))
        y += step / (1 - y * step)
        if abs(step) < abs(y) * mpf(10) ** -50:
            break
    return y * m.sign(x)


def logaddexp(a, b):
    most = max(a, b)
    return most + m.log1p(m.exp(-abs(a - b)))


def lgamma(x):
    return m.log(abs(m.gamma(x))) if abs(x) < 1e6 else m.loggamma(x)


one = [inside((-1, 1), (-3, 3), (-30, 30))]
unit = [inside((-1, 1), (-0.5, 0.5)), near(1.0), near(-0.5), near(0.5)]
half_line = [positive(inside((0, 3), (0, 20))), near(1.0), near(2.0)]
pairs = [inside((-3, 3), (-30, 30))]
FUNCTIONS = [
    ("expm1", m.expm1, [inside((-1.5, 1.5), (-40, 700))], lambda x: x < 709),
    ("log1p", m.log1p, [inside((-1, 1), (-0.5, 3))], lambda x: x > -1),
    ("log2", lambda x: m.log(x) / m.log(2), half_line, lambda x: x > 0),
    ("log10", lambda x: m.log(x) / m.log(10), half_line, lambda x: x > 0),
    ("rsqrt", lambda x: 1 / m.sqrt(x), half_line, lambda x: x > 0),
    ("tan", m.tan, [inside((-2, 2), (-1e5, 1e5)), near(1.5707963267948966), near(785.39816339744828)], lambda x: abs(x) <= 1e5),
    ("asin", m.asin, unit, lambda x: abs(x) <= 1),
    ("acos", m.acos, unit, lambda x: abs(x) <= 1),
    ("atan", m.atan, [inside((-1, 1), (-4, 4)), near(0.41421356), near(2.41421356)], lambda x: True),
    ("sinh", m.sinh, [inside((-1.3, 1.3), (-30, 30), (-710, 710))], lambda x: abs(x) < 710.4),
    ("cosh", m.cosh, [inside((-1.3, 1.3), (-30, 30), (-710, 710))], lambda x: abs(x) < 710.4),
    ("asinh", m.asinh, one, lambda x: True),
    ("acosh", m.acosh, [positive(inside((1, 3), (1, 30))), lambda: 1 + 2.0 ** draw.uniform(-52, 0)], lambda x: x >= 1),
    ("atanh", m.atanh, unit, lambda x: abs(x) < 1),
    ("erfc", m.erfc, [inside((-1, 1), (-6, 6), (0, 26))], lambda x: -6 < x < 26.5),
    ("erfinv", erfinv, unit, lambda x: abs(x) < 1),
    ("lgamma", lgamma, half_line, lambda x: 0 < x < 2e305),
    ("digamma", lambda x: m.psi(0, x), half_line + [near(1.4616321449683623)], lambda x: 1e-300 < x),
    ("polygamma 1", lambda x: m.psi(1, x), half_line, lambda x: 1e-150 < x < 1e150),
    ("polygamma 2", lambda x: m.psi(2, x), half_line, lambda x: 1e-100 < x < 1e100),
    ("polygamma 5", lambda x: m.psi(5, x), half_line, lambda x: 1e-50 < x < 1e50),
    ("lgamma below 0", lgamma, [inside((-10, 0), (-3, 0), (-100, 0))], lambda x: -1000 < x < -1e-300 and x != int(x)),
    ("digamma below 0", lambda x: m.psi(0, x), [inside((-10, 0), (-3, 0), (-100, 0))], lambda x: -1000 < x < -1e-300 and x != int(x)),
    ("atan2", m.atan2, pairs, None),
    ("hypot", m.hypot, pairs, None),
    ("xlogy", lambda a, b: a * m.log(b), [pairs[0], positive(pairs[0])], None),
    ("logaddexp", logaddexp, [pairs[0]], None),
    ("ndtr", m.ncdf, [inside((-1, 1), (-9, 9), (-37, 0))], lambda x: -37.5 < x < 1e300),
]


def row(function, arguments):
    """The row, or None if the result is not within the range of normal numbers."""
    exact = function(*[mpf(x) for x in arguments])
    if exact != 0 and not mpf(2) ** -1021 < abs(exact) < mpf(2) ** 1023:
        return None
    high = float(exact)
    return struct.pack("<4d", arguments[0], arguments[-1], high, float(exact - mpf(high)))


data = b""
for name, function, sources, holds in FUNCTIONS:
    rows = []
    while len(rows) < ROWS:
        if holds is None:
            first = sources[0]()
            # Half of the second arguments are of the size of the first.
            second = sources[-1]() if draw.random() < 0.5 else first * draw.choice([-1, 1]) * 2.0 ** draw.uniform(-4, 4)
            if name == "xlogy":
                second = abs(second)
            if name == "logaddexp" and abs(first) > 1e6:
                continue
            if abs(first) > 1e300 or abs(second) > 1e300 or second == 0:
                continue
            arguments = [first, second]
        else:
            x = sources[len(rows) % len(sources)]()
            if not holds(x):
                continue
            arguments = [x]
        made = row(function, arguments)
        if made is not None:
            rows.append(made)
    data += b"".join(rows)
    print(name, flush=True)
pathlib.Path(__file__).with_suffix(".bin").write_bytes(data)
