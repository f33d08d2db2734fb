"""sympy, which carries no types: imported here once, so that the type checker takes it for what it is."""

from __future__ import annotations

import importlib
from typing import Any

sympy: Any = importlib.import_module("sympy")
Relational: Any = sympy.core.relational.Relational
