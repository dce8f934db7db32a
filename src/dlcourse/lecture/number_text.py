"""Numbers as a page writes them: the filters of its template."""


def significant(value: float) -> str:
    """Return a number with three significant digits: ``0.123``, ``4,560``, ``3.2e-09``."""
    if isinstance(value, int) or (value == value and abs(value) >= 1000 and abs(value) < 1e7):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def fixed(value: float, digits: int = 2) -> str:
    """Return a number with a fixed number of decimals."""
    return f"{value:,.{digits}f}"


def percent(value: float, digits: int = 0) -> str:
    """Return a share from 0 to 1 as a percentage, ``97 %``."""
    return f"{100 * value:.{digits}f} %"


FILTERS = {"short": significant, "fixed": fixed, "percent": percent}
