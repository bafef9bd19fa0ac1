"""Thresholds and priors of the balance; chosen on the development part of the data, never on the one that scores."""

from dataclasses import dataclass

__all__ = ["BalanceRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceRules:
    """Engineering choices, not figures of a standard. "Limit" is a meter's limit of error by its class.

    Parameters
    ----------
    alarm : float
        Standard deviations from what sound meters do at which a change is said, in a group of ten, where it has lasted
        for `scan_days`. [1]
    scan_days, brief : float
        There are more short spans than long ones to be wrong about: one of up to three times as many days, `d`, may be
        less loud, so that its square is smaller by 2 ln(d / scan_days). A shorter one must be louder by `brief` times
        that, for noise that does not stay the same looks like a change for some days. [d], [1]
    unrest : float
        Where the residual since a change varies more than usual by some factor, the change must be louder by its root;
        a larger factor than this counts as this. [1]
    sharp, blur : float
        A meter whose gain change is known no better than `sharp` must be louder by that ratio to the power `blur`: what
        the model does not hold (a curve at light load, noise in the children) leaks into what is hardly determined.
    margin : float
        Twice the log likelihood ratio by which a meter must explain a change better than any other. [1]
    least : float
        A change of less than this many times the meter's limit of error is not said. [1]
    sure : float
        Standard deviations by which an error must lie outside the band of the meter's class to be an alarm; until then
        the change is watched. [1]
    anew_days : int
        So long the gain of an accused meter is learnt anew; then its next change is looked for. [d]
    wary, most_wary : float
        So much more, for each accusation of the group that came to nothing, another must be louder, and the most of it;
        what is half a year old counts half. [1]
    constant : float
        Twice the log likelihood that a load which is always on has to explain more than a meter: it is rarer. [1]
    rare : float
        An error of a meter is the rarer the further it lies beyond its class, by this power; 1 makes all sizes
        alike by their logarithm. [1]
    patience_days : int
        So long a change that no single meter explains best is kept before it is said without a name. [d]
    learning_days : float
        Measured days before anything is said. [d]
    hiss : float
        Standard deviation of a meter's hourly noise over its limit. [1]
    own, common : float
        Standard deviation of the slow wander of a child's gain, and of the parent's, over their limits. [1]
    level : float
        Standard deviation of the parent's level of a week, over its limit. [1]
    memory_days : float
        Time over which sound meters wander. [d]
    common_loss : float
        Standard deviation of the linear losses and the parent's steady error. [1]
    loss : float
        Standard deviation of fixed and of quadratic losses, as shares of the usual load. [1]
    loss_wander : float
        Standard deviation of their slow change. [1]
    noise_days : float
        Time over which size and colour of the noise are learnt. [d]
    half_life_days : float
        Days after which what is older than five months counts half. [d]
    misfit : float
        Where the residual's variance after a change is more than this many times the usual, it is no gain change. [1]
    open_noise : float
        Noise, over what the meters' classes let expect, above which a balance is held not to close. [1]
    open_loss : float
        Unexplained share of the flow above which a balance is held not to close. [1]
    levels : bool
        Whether balances above and below one meter are heard together.
    """

    alarm: float = 3.5
    scan_days: float = 28.0
    brief: float = 3.0
    unrest: float = 4.0
    sharp: float = 0.004
    blur: float = 0.3
    margin: float = 4.0
    least: float = 0.6
    sure: float = 1.64
    anew_days: int = 42
    wary: float = 0.15
    most_wary: float = 0.5
    constant: float = 4.0
    rare: float = 1.0
    patience_days: int = 21
    learning_days: float = 45.0
    hiss: float = 0.1
    own: float = 0.1
    common: float = 0.1
    level: float = 0.1
    memory_days: float = 60.0
    common_loss: float = 0.03
    loss: float = 0.05
    loss_wander: float = 0.0003
    noise_days: float = 60.0
    half_life_days: float = 180.0
    misfit: float = 2.0
    open_noise: float = 3.0
    open_loss: float = 0.08
    levels: bool = True
