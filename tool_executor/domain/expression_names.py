"""The words that the calculator knows."""

from __future__ import annotations

_ARITHMETIC = {
    *("sqrt", "cbrt", "root", "exp", "log", "ln", "log2", "log10", "abs", "sign", "floor", "ceil", "ceiling", "round"),
    *("factorial", "binomial", "gcd", "lcm", "min", "max", "sum", "mean", "mod", "re", "im", "conjugate", "isprime"),
}
_TRIGONOMETRY = {
    *("sin", "cos", "tan", "cot", "sec", "csc", "asin", "acos", "atan", "atan2", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "tanh", "asinh", "acosh", "atanh"),
}
_ALGEBRA = {
    *("solve", "diff", "derivative", "integrate", "integral", "limit", "simplify", "expand", "factor"),
}
FUNCTIONS = frozenset(_ARITHMETIC | _TRIGONOMETRY | _ALGEBRA)
"""Functions, in lower case; `name(...)`."""

CONSTANTS = frozenset({"pi", "e", "i", "I", "oo", "inf", "infinity", "tau"})
"""Names with a value: `i` and `I` are the imaginary unit, `oo` infinity."""
