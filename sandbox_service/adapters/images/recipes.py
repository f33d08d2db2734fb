"""Which images there are and what goes into them."""

from __future__ import annotations

from dataclasses import dataclass

_SHELL = (
    "[ awk base32 base64 basename bash bc bunzip2 bzcat bzip2 cat chmod cksum cmp comm cp csplit cut date dd df diff "
    "diff3 dirname du echo egrep env expand expr factor false fgrep find flock fmt fold getopt grep gunzip gzip head "
    "hostname id install join jq kill link ln ls md5sum mkdir mkfifo mktemp mv nl nohup nproc numfmt od paste patch "
    "pgrep pkill pr printenv printf ps pwd readlink realpath rev rm rmdir sdiff sed seq setsid sh sha1sum sha256sum "
    "sha512sum shuf sleep sort split stat stdbuf stty sum sync tac tail tar tee test timeout touch tr true truncate "
    "tsort tty uname unexpand uniq unlink unxz unzip wc which whoami xargs xz xzcat yes zcat zdiff zgrep zip "
)
PROGRAMS = tuple(_SHELL.split())
"""Programs of the host that every image offers, as far as the host has them; none needs data files or privileges."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an image is made.

    Attributes:
        name: stable name.
        description: what it is for.
        lock: name of the file with its packages, exact versions and hashes; empty for none.
        packages: what its users import, in the order in which a zygote loads it; empty for none.
    """

    name: str
    description: str
    lock: str = ""
    packages: tuple[str, ...] = ()


RECIPES = (
    Recipe("base", "Python's standard library, and ordinary programs for the shell."),
    Recipe(
        "data",
        "As base, with NumPy, pandas, Matplotlib and SymPy.",
        lock="data.lock",
        packages=("numpy", "pandas", "matplotlib.pyplot", "sympy"),
    ),
)
"""All images, by name."""
