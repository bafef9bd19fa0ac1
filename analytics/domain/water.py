"""Density and enthalpy of liquid water, and the heat that a cubic metre gives up between two temperatures.

The fundamental equation of region 1 of the IAPWS Industrial Formulation 1997 (IAPWS R7-97(2012), table 2 and
equation 7), the dimensionless Gibbs energy over pressure and temperature; its verification values (table 5) are in
`tests/golden/water.toml`. Heat meters for water work by the same properties; a mixture with glycol needs others.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["DENSITY", "ENTHALPY", "HOTTEST", "PRESSURE_MPA", "density", "enthalpy", "heat_of_a_cubic_metre"]

Floats = NDArray[np.float64]

PRESSURE_MPA = 1.6
"""Pressure taken for a heating circuit, an engineering choice. [MPa]

Between 0.3 and 1.6 MPa the heat of a cubic metre differs by 0.02 % at the most
(`tests/analytics/domain/test_water.py`).
"""
HOTTEST = 200
"""Where water of that pressure is still liquid. [°C]"""

_R = 0.461526  # specific gas constant of water. [kJ/(kg K)]
_P_STAR, _T_STAR = 16.53, 1386.0  # [MPa, K]
_ZERO_C = 273.15

# I, J, n of table 2
_TERMS = np.array(
    [
        (0, -2, 0.14632971213167), (0, -1, -0.84548187169114), (0, 0, -0.37563603672040e1),
        (0, 1, 0.33855169168385e1), (0, 2, -0.95791963387872), (0, 3, 0.15772038513228),
        (0, 4, -0.16616417199501e-1), (0, 5, 0.81214629983568e-3), (1, -9, 0.28319080123804e-3),
        (1, -7, -0.60706301565874e-3), (1, -1, -0.18990068218419e-1), (1, 0, -0.32529748770505e-1),
        (1, 1, -0.21841717175414e-1), (1, 3, -0.52838357969930e-4), (2, -3, -0.47184321073267e-3),
        (2, 0, -0.30001780793026e-3), (2, 1, 0.47661393906987e-4), (2, 3, -0.44141845330846e-5),
        (2, 17, -0.72694996297594e-15), (3, -4, -0.31679644845054e-4), (3, 0, -0.28270797985312e-5),
        (3, 6, -0.85205128120103e-9), (4, -5, -0.22425281908000e-5), (4, -2, -0.65171222895601e-6),
        (4, 10, -0.14341729937924e-12), (5, -8, -0.40516996860117e-6), (8, -11, -0.12734301741641e-8),
        (8, -6, -0.17424871230634e-9), (21, -29, -0.68762131295531e-18), (23, -31, 0.14478307828521e-19),
        (29, -38, 0.26335781662795e-22), (30, -39, -0.11947622640071e-22), (31, -40, 0.18228094581404e-23),
        (32, -41, -0.93537087292458e-25),
    ]
)  # fmt: skip


def _parts(celsius: ArrayLike, pressure_mpa: float) -> tuple[Floats, Floats, float, Floats]:
    """Powers of the reduced pressure and of the reduced temperature, one column a term, and both themselves."""
    tau = _T_STAR / (np.asarray(celsius, np.float64) + _ZERO_C)
    return _TERMS[:, 2], tau, 7.1 - pressure_mpa / _P_STAR, tau[..., None] - 1.222


def density(celsius: ArrayLike, pressure_mpa: float = PRESSURE_MPA) -> Floats:
    """Density of liquid water. [kg/m3].

    Parameters
    ----------
    celsius : (n,) float64
        From 0 to where it boils. [°C]
    pressure_mpa : float
        [MPa]

    Examples
    --------
    >>> round(float(density(20.0)), 1)
    998.9
    """
    n, _, reduced, shifted = _parts(celsius, pressure_mpa)
    i, j = _TERMS[:, 0], _TERMS[:, 1]
    gamma_pi = (-n * i * reduced ** np.maximum(i - 1, 0) * shifted**j).sum(axis=-1)
    volume = gamma_pi * _R * (np.asarray(celsius, np.float64) + _ZERO_C) / _P_STAR * 1e-3
    found: Floats = 1.0 / volume
    return found


def enthalpy(celsius: ArrayLike, pressure_mpa: float = PRESSURE_MPA) -> Floats:
    """Specific enthalpy of liquid water. [kJ/kg].

    Parameters
    ----------
    celsius : (n,) float64
        From 0 to where it boils. [°C]
    pressure_mpa : float
        [MPa]

    Examples
    --------
    >>> round(float(enthalpy(21.0) - enthalpy(20.0)), 2)
    4.18
    """
    n, _, reduced, shifted = _parts(celsius, pressure_mpa)
    i, j = _TERMS[:, 0], _TERMS[:, 1]
    h: Floats = _R * _T_STAR * (n * reduced**i * j * shifted ** (j - 1)).sum(axis=-1)
    return h


DENSITY = density(np.arange(HOTTEST + 1.0))
"""(201,) density at whole degrees from 0 °C at `PRESSURE_MPA`. [kg/m3]"""
ENTHALPY = enthalpy(np.arange(HOTTEST + 1.0))
"""(201,) enthalpy at whole degrees from 0 °C at `PRESSURE_MPA`. [kJ/kg]"""
DENSITY.setflags(write=False)
ENTHALPY.setflags(write=False)


def heat_of_a_cubic_metre(supply: ArrayLike, back: ArrayLike, *, sensor_in_supply: bool = False) -> Floats:
    """Heat given up by a cubic metre of water, negative where the return is the warmer one. [kWh/m3].

    Parameters
    ----------
    supply, back : (n,) float64
        Temperatures of supply and return. [°C]
    sensor_in_supply : bool
        Whether the volume was measured at the supply's temperature.

    Examples
    --------
    >>> round(float(heat_of_a_cubic_metre(70.0, 40.0)), 2)
    34.57
    """
    there = supply if sensor_in_supply else back
    heat: Floats = density(there) * (enthalpy(supply) - enthalpy(back)) / 3600.0
    return heat
