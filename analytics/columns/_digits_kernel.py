"""Last digits of a register: whose finest decimal is known cannot show finer ones, and ten times as much ends in 0.

A reading that is off by a power of ten may fit a register whose full scale nobody declared as an ordinary rise, a turn
of the dial or a new load; its last digits say which it was. What is known of them is one byte of the state, in which
only the first readings and a finer decimal change anything.
"""

import numpy as np

from analytics.compiled import compiled_plain
from analytics.domain.instants import US_PER_DAY

__all__ = [
    "CONTRADICT",
    "DOUBT",
    "NOTHING",
    "SHOW",
    "are_known",
    "digits_of_power",
    "doubt_scale",
    "forget_digits",
    "has_finer",
    "is_coarser",
    "learn_digits",
    "powers_shown",
    "still_doubted",
]

_PLACE, _SEEN, DOUBT = 15, 48, 64
"""Parts of `digits`: finest decimal (`_FIRST` plus decimals, 0 not known), readings that showed it, and whether the
register goes on at a rate that ten times as much would explain, in values that have not shown it since."""
_FIRST, _USELESS = 5, 15  # integers are 5, values of tens 4, of ten thousands and more 1
_ONE_SEEN = 16
_MOST = 6  # decimals; a float with more is a computed value
_POWERS = np.array([10.0 ** (place - _FIRST) for place in range(16)])
_EXACT, _FLOAT32 = 1e-15, 2.0**-24

CONTRADICT, NOTHING, SHOW = -1, 0, 1
"""What the last digits say of a power of ten."""


@compiled_plain
def _ends_at(v, power, share):
    scaled = v * power
    return abs(scaled - np.rint(scaled)) <= share * abs(scaled) + 1e-9


@compiled_plain
def _place_of(v):
    """Finest decimal that a value shows, as in `digits`."""
    for place in range(1, _FIRST + _MOST + 1):
        if _ends_at(v, _POWERS[place], _EXACT):
            return place
    if np.float64(np.float32(v)) == v:
        for place in range(1, _FIRST + _MOST + 1):
            if _ends_at(v, _POWERS[place], _FLOAT32):
                return place
    return _USELESS


@compiled_plain
def learn_digits(s, t, v):
    """Remember the finest decimal of a reading that is believed."""
    place = s.digits & _PLACE
    full = (s.digits & _SEEN) == _SEEN
    if place == _USELESS or (full and _ends_at(v, _POWERS[place], _EXACT)) or v <= 0.0:
        return
    shown = _place_of(v)
    if shown == _USELESS or shown < place or (full and shown == place):
        return
    s.digits = s.digits + _ONE_SEEN if shown == place else (s.digits & DOUBT) + shown + _ONE_SEEN
    s.learnt_day = t // US_PER_DAY + 1


@compiled_plain
def is_coarser(s, v):
    """Whether v does not show the finest decimal of the register."""
    place = s.digits & _PLACE
    return 1 < place < _USELESS and _ends_at(v, _POWERS[place - 1], _EXACT)


@compiled_plain
def doubt_scale(s, t):
    """From t on the register may show ten times as much, or more, for good."""
    s.digits |= DOUBT
    s.learnt_day = t // US_PER_DAY + 1


@compiled_plain
def still_doubted(s, t, v):
    """Whether v leaves the doubt as it is; a value in which the finest decimal is back ends it."""
    if s.digits < DOUBT:
        return False
    if is_coarser(s, v):
        return True
    s.digits &= DOUBT - 1
    s.learnt_day = t // US_PER_DAY + 1
    return False


@compiled_plain
def has_finer(s, v):
    """Whether v shows a decimal that the register never had."""
    return powers_shown(s, v)[0] > 0


@compiled_plain
def forget_digits(s, t):
    """Another instrument or unit: nothing is known of its digits."""
    if s.digits != 0:
        s.digits = 0
        s.learnt_day = t // US_PER_DAY + 1


@compiled_plain
def are_known(s):
    return (s.digits & _SEEN) > _ONE_SEEN


@compiled_plain
def powers_shown(s, v):
    """Least and highest exponent n for which the last digits show that v is the register's value divided by 10**n.

    Both 0 where they show nothing; a reading that ends in one 0, as every tenth does by chance, shows nothing.
    """
    if not are_known(s) or v <= 0.0:
        return 0, 0
    shown, place = _place_of(v), np.int64(s.digits & _PLACE)
    if shown == _USELESS:
        return 0, 0
    if shown > place:
        return shown - place, _MOST
    if place - shown < 2:
        return 0, 0
    return (-_MOST if shown == 1 else shown - place), -1


@compiled_plain
def digits_of_power(s, v, scale):
    """Whether v may be the register's value divided by 10**scale, by its last digits.

    Ten times as much has no digit in the register's last place. A tenth has one more, unless it was rounded.
    """
    if scale == 0 or not are_known(s):
        return NOTHING
    shown, place = _place_of(v), np.int64(s.digits & _PLACE)
    if shown == _USELESS:
        return NOTHING
    if scale < 0:
        coarser = max(place + scale, 1)
        if shown > coarser:
            return CONTRADICT
        return SHOW if place - coarser >= min(-scale, 2) else NOTHING
    return SHOW if place < shown <= place + scale else NOTHING
