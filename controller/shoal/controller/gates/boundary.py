"""How wide an interval must be so that one may look at it all the time.

`mixture_z` is the boundary of the normal-mixture sequential test (Robbins 1970; Johari, Koomen,
Pekelis, Walsh 2022, "Always valid inference"), licensed for estimated variances by Waudby-Smith,
Arbour, Sinha, Kennedy, Ramdas (2024), "Time-uniform central limit theory and asymptotic confidence
sequences". `t_calibrated` gives it the tails of Student's t, which few devices need, in the closed
form of Wallace (1959), "Bounds on normal approximations to Student's and the chi-square
distributions".
"""

import math

_LARGEST_EXPONENT = 700.0  # exp overflows a float just above


def mixture_z(information_ratio: float, alpha: float) -> float:
    """The standard errors on one side that hold at level `alpha` over all looks together.

    `information_ratio` is V r: the information 1/SE^2 times the square of the effect that the
    boundary is tuned for. For V r = 8 and alpha = 0.05 it is sqrt(9/8 (ln 9 + 2 ln 10)) = 2.77;
    one look would need 1.645. It grows beyond all bounds for V r -> 0: no data, no verdict.

    Raises:
        ValueError: `alpha` is not in (0, 0.5) or the ratio is negative or not a number.
    """
    if not 0 < alpha < 0.5:
        raise ValueError(f"alpha of one side is between 0 and 0.5, not {alpha}")
    if not information_ratio >= 0:
        raise ValueError(f"information is not negative, {information_ratio} is")
    if information_ratio == 0:
        return math.inf
    level = math.log1p(information_ratio) - 2 * math.log(2 * alpha)
    return math.sqrt((1 + 1 / information_ratio) * level)


def t_calibrated(z: float, df: float) -> float:
    """The value of Student's t with `df` degrees of freedom whose tail is as likely as normal `z`.

    Within 0.5 % of the exact one for df >= 10 and z <= 3.3; on the wide side for fewer (+4 % at
    df = 5, z = 4). For z = 2.77 and df = 17 it is 3.27.
    """
    if not df > 0:
        raise ValueError(f"degrees of freedom are positive, not {df}")
    u = z * (8 * df + 3) / (8 * df + 1)
    exponent = u * u / df
    if exponent > _LARGEST_EXPONENT:
        return math.inf
    return math.sqrt(df * math.expm1(exponent))
