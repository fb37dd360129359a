"""Options that were typed as flags, ``--epochs 10`` for ``training.max_epochs=10``."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from gkd_runner.config.names import option_meant


def without_flags(argv: Sequence[str], unknown: Collection[str]) -> tuple[list[str], list[str]]:
    """Take the flags among ``unknown``, with their values, out of a command line.

    ``unknown`` is what ``argparse`` did not recognise. Returns what is left, and for each flag the
    line that says how its option is written.
    """
    left, mistakes = list[str](), list[str]()
    words = list(argv)
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word not in unknown:
            left.append(word)
            continue
        typed = [word]
        while "=" not in word and words and _is_value(words[0]):
            typed.append(words.pop(0))
        mistakes.append(_mistake(" ".join(typed)))
    return left, mistakes


def _is_value(word: str) -> bool:
    return not word.startswith("-") and "=" not in word


def _mistake(typed: str) -> str:
    flag, *values = typed.replace("=", " ", 1).split()
    if flag in ("-m", "--multirun"):
        return f"{typed} is for sweeps of gkd-train; leave it out"
    option = option_meant(flag.lstrip("-").replace("-", "_"))
    if option:
        value = ",".join(values) or "..."
        return f"{typed}: options are written name=value; write {option}={value}"
    return f"{typed}: there is no such flag; options are written name=value, see gkd-train --help"
