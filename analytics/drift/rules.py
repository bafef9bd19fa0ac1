"""Thresholds and priors of the balance; chosen on the development part of the data, never on the one that scores."""

from dataclasses import dataclass

__all__ = ["BalanceRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRules:
    """Engineering choices, not figures of a standard. "Limit" is a meter's limit of error by its class.

    Parameters
    ----------
    alarm : float
        Detection threshold of the test statistic, for a group of ten and a change that has lasted `scan_days`.
        [std. dev.]
    scan_days, brief : float
        Multiscale correction: there are fewer long spans than short ones to be wrong about, so for a span of `d` days,
        up to three times `scan_days`, the squared threshold is lower by 2 ln(d / scan_days). For a shorter span it is
        higher by `brief` times that, since nonstationary noise resembles a short change. [d], [1]
    unrest : float
        If the residual variance since a change exceeds the usual one by a factor, the threshold is raised by its root;
        the factor is capped at this. [1]
    sharp, blur : float
        If the standard deviation of a gain change exceeds `sharp`, the threshold is raised by that ratio to the power
        `blur`: model errors (nonlinearity at light load, noise in the children) leak into ill-determined gains.
    margin, late_margin : float
        Twice the log-likelihood ratio by which a meter must explain a change better than any other to be named, after
        some days; and after many weeks, when waiting tells meters of like load apart no better. [1]
    likely : float
        Weight among all explanations that a meter must have to be named. [1]
    least : float
        Changes below this multiple of the meter's limit of error are not reported. [1]
    sure : float
        Standard deviations by which an error must lie outside the band of the meter's class to be an alarm; until then
        the change is watched. [1]
    anew_days : int
        Time for re-estimating the gain of a suspected meter before its next change is tested. [d]
    wary, most_wary : float
        Share by which each false alarm of a group raises its threshold, with a half-life of half a year, and the
        maximum, which also holds where a load may have come that no meter counts. [1]
    louder, loudest : float
        Self-calibration: the threshold is `louder` times the loudest week of the group's own half a year, but no less
        than it would be and at most `loudest` times that. [1]
    constant : float
        Prior penalty of a constant load against a meter's fault, twice the log-likelihood: it is rarer. [1]
    rare : float
        Exponent of the power-law prior on errors beyond the class; 1 is uniform in their logarithm. [1]
    patience_days : int
        Time that a change without a single best explanation is held before it is reported unnamed. [d]
    learning_days : float
        Measured days before anything is reported. [d]
    hourly_noise : float
        Standard deviation of a meter's hourly noise over its limit. [1]
    own, common : float
        Standard deviation of the slow drift of a child's gain, and of the parent's, over their limits. [1]
    level : float
        Standard deviation of the weekly common offset, over the parent's limit. [1]
    memory_days : float
        Correlation time of the drift of sound meters. [d]
    common_loss : float
        Standard deviation of the linear losses and the parent's steady error. [1]
    loss : float
        Standard deviation of fixed and of quadratic losses, as shares of the usual load. [1]
    loss_wander : float
        Standard deviation of their slow change. [1]
    unmetered_wander : float
        The same of a load that no meter counts, once one was learnt. [1]
    noise_days : float
        Averaging time of the noise's variance and autocorrelation. [d]
    half_life_days : float
        Half-life of data older than five months. [d]
    misfit : float
        If the residual variance after a change exceeds this multiple of the usual, no gain change explains it. [1]
    open_noise : float
        Noise, relative to that expected by the meters' classes, above which a balance counts as not closing. [1]
    noisy : float
        Noise, relative to that, above which the threshold rises in proportion. [1]
    open_loss : float
        Unexplained share of the flow above which a balance counts as not closing. [1]
    levels : bool
        Whether the balances above and below a meter are combined.
    """

    alarm: float = 3.5
    scan_days: float = 28.0
    brief: float = 3.0
    unrest: float = 4.0
    sharp: float = 0.004
    blur: float = 0.3
    margin: float = 4.0
    late_margin: float = 2.5
    likely: float = 0.45
    least: float = 0.6
    sure: float = 1.0
    anew_days: int = 42
    wary: float = 0.15
    most_wary: float = 0.5
    louder: float = 1.1
    loudest: float = 1.25
    constant: float = 4.0
    rare: float = 1.0
    patience_days: int = 21
    learning_days: float = 45.0
    hourly_noise: float = 0.1
    own: float = 0.05
    common: float = 0.05
    level: float = 0.1
    memory_days: float = 60.0
    common_loss: float = 0.03
    loss: float = 0.05
    loss_wander: float = 0.00015
    unmetered_wander: float = 0.02
    noise_days: float = 60.0
    half_life_days: float = 180.0
    misfit: float = 2.0
    open_noise: float = 3.0
    noisy: float = 2.0
    open_loss: float = 0.08
    levels: bool = True
