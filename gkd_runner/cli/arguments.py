"""Command lines of flags of a command's own and options of gkd-train, in any order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from gkd_runner.common.errors import ConfigError


def command_parser(prog: str, description: str, epilog: str) -> argparse.ArgumentParser:
    """A parser whose help shows both texts as they are."""
    return argparse.ArgumentParser(
        prog,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Add gkd-train's options, as ``overrides``."""
    parser.add_argument(
        "overrides", nargs="*", default=[], metavar="option=value", help="as for gkd-train"
    )


def parse(parser: argparse.ArgumentParser, argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse ``argv``, by default that of the process.

    Raises ``ConfigError`` for flags that the parser does not know, with the option that is meant.
    """
    given = list(sys.argv[1:] if argv is None else argv)
    unknown = parser.parse_known_args(given)[1]
    if unknown:
        from gkd_runner.config.flags import without_flags

        given, mistakes = without_flags(given, unknown)
        if mistakes:
            raise ConfigError(mistakes)
    return parser.parse_intermixed_args(given)


def whole(least: int) -> Callable[[str], int]:
    """The type of a whole number that is at least ``least``, for ``argparse``."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is not a whole number >= {least}")
        return int(text)

    return read
