"""A condition that makes a run fail: `--fail-if 'threaded.wall > 1.05 * async.wall'`.

    gate        both {"or" both}                 "and" binds closer than "or"
    both        comparison {"and" comparison}
    comparison  sum (> >= < <= == !=) sum        one at a time: a < b < c is refused
    sum         product {(+ -) product}
    product     factor {(* /) factor}
    factor      ["-"] number | MODE.FIGURE | "(" sum ")"

A number is plain, a share (`5%`), a time (`2ms`, `3s`) or memory (`40MiB`). A plain one takes the unit of what it meets:
`async.cpu > 2` says 2 ms, for the figure `cpu` is in ms; so does `async.cpu > 0.002s`. A time does not meet memory.

The names of modes hold hyphens (`stock-pool.wall`), so a text is cut along the names in the run, the longest first; where
a minus stands between two figures, it follows a figure's name, which has none.

Every figure that is named must be known, also where the rest decides already: a gate that can't be judged is an error,
never a pass. Of a mode that is INVALID only `valid` and `rounds` are known, for a client that failed tells no counts.
A gate is about the headline of its scenario.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from .summary import PointSummary, Row
from .verdicts import Interval

MOST_NESTED = 50
"""Parentheses and signs within each other, at most."""

Unit = Literal["", "s", "ms", "MiB"]
"""Of a count or a share "", of a plain number None: it takes any."""


class GateError(Exception):
    """A gate that can't be judged. One line: what is wrong, where in the text, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the condition holds, so that the run fails, and the condition with the numbers put in."""

    failed: bool
    said: str


@dataclass(frozen=True, slots=True)
class Figure:
    """What may be asked of a mode: its unit, its meaning, and where in its `Row` it is, or in its `ratio`."""

    unit: Unit
    about: str
    where: str


FIGURES = {
    "wall": Figure("s", "wall time, median of the rounds", "wall_s.median"),
    "wall.low": Figure("s", "lower end of its 95 % interval", "wall_s.low"),
    "wall.high": Figure("s", "upper end of its 95 % interval", "wall_s.high"),
    "bound": Figure("s", "what is physically possible", "bound_s"),
    "of_bound": Figure("", "bound over wall", "of_bound.median"),
    "of_ideal": Figure("", "a faultless engine's time over wall", "of_ideal.median"),
    "cpu": Figure("ms", "CPU a request", "cpu_ms_per_request"),
    "peak": Figure("MiB", "peak memory", "peak_mib"),
    "imports": Figure("MiB", "memory when all was imported", "import_mib"),
    "requests": Figure("", "requests a round", "requests"),
    "connections": Figure("", "connections, the most of any round", "connections"),
    "rejected": Figure("", "requests that the quota rejected, all rounds", "rejected"),
    "faults": Figure("", "faults that the API was told to make, all rounds", "faults"),
    "wrong": Figure("", "rows wrong or lost, all rounds", "wrong"),
    "wait_p99": Figure("ms", "waiting for the permit", "wait_ms.p99"),
    "service_p50": Figure("ms", "from sending to the answer", "service_ms.p50"),
    "service_p95": Figure("ms", "from sending to the answer", "service_ms.p95"),
    "service_p99": Figure("ms", "from sending to the answer", "service_ms.p99"),
    "ratio": Figure("", "wall over threaded's, paired by round", "ratio.median"),
    "ratio.low": Figure("", "lower end of its 95 % interval", "ratio.low"),
    "ratio.high": Figure("", "upper end of its 95 % interval", "ratio.high"),
    "valid": Figure("", "1, or 0 where it is INVALID", "valid"),
    "rounds": Figure("", "how many rounds it had", "rounds"),
}
_OF_ANY = ("valid", "rounds")


def check(text: str, point: PointSummary) -> Verdict:
    """Judge a condition over a point's figures.

    :raises GateError: if it can't be judged: its syntax, an unknown mode or figure, or one whose value is not known.
    """
    gate = _Gate(text, point)
    failed, said = gate.either()
    gate.end()
    return Verdict(failed, said)


# ── what a text is made of ──────────────────────────────────────────────────────────────────────────────────────────

_NUMBER = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?) ?(?:(?P<unit>%|ms|s|MiB)(?![\w.]))?"
)
_SIGN = re.compile(r">=|<=|==|!=|[-+*/()<>]|(?:and|or)(?!\w)")
_WORD = re.compile(r"\w[\w.-]*")
_FIGURE = re.compile(r"[\w.]*")
_SPACE = re.compile(r"\s*")

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A number with its unit, and how it is told. `single`: one number or one figure, whose value is told already."""

    value: float
    unit: Unit | None
    said: str
    single: bool = True


@dataclass(frozen=True, slots=True)
class _Token:
    """A piece of the text: a sign or a word of the language, or a quantity; "" is the end."""

    at: int
    sign: str
    quantity: _Quantity | None = None


class _Gate:
    """Reads a text from left to right, and judges it on the way."""

    def __init__(self, text: str, point: PointSummary) -> None:
        self._text = text
        self._point = point
        self._rows = sorted(point.rows, key=lambda row: -len(row.subject.name))
        self._nested = 0
        self._token = self._next(0)

    # ── cutting ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self, at: int) -> _Token:
        """The piece that begins here, spaces left out."""
        text = self._text
        at = _match(_SPACE, text, at).end()
        self._after = at
        if at == len(text):
            return _Token(at, "")
        for row in self._rows:
            if text.startswith(f"{row.subject.name}.", at):
                return self._figure(row, at)
        if sign := _SIGN.match(text, at):
            self._after = sign.end()
            return _Token(at, sign.group())
        if number := _NUMBER.match(text, at):
            return self._number(number)
        return self._nothing(at)

    def _nothing(self, at: int) -> NoReturn:
        """What begins here is no piece of the language."""
        word = _WORD.match(self._text, at)
        modes = ", ".join(row.subject.name for row in self._point.rows)
        if word is None:
            self._wrong(f"{self._text[at]!r} means nothing", at, f"numbers, MODE.FIGURE, + - * / ( ) {_ONE_OF} and, or")
        name, dot, _ = word.group().partition(".")
        if not dot:
            self._wrong(f"{name!r} names no figure", at, f"MODE.FIGURE, with a mode of {modes}")
        self._wrong(f"unknown mode {name!r}", at, modes)

    def _figure(self, row: Row, at: int) -> _Token:
        begins = at + len(row.subject.name) + 1
        name = _match(_FIGURE, self._text, begins).group()
        full = f"{row.subject.name}.{name}"
        figure = FIGURES.get(name)
        if figure is None:
            self._wrong(f"unknown figure {name!r}", begins, ", ".join(FIGURES))
        value = self._known(row, name)
        if value is None:
            known = ", ".join(other for other in FIGURES if self._known(row, other) is not None)
            why = "there is none" if row.valid else f"{row.subject.name} is INVALID ({row.problem})"
            self._wrong(f"{full} is not known: {why}", at, f"of {row.subject.name} {known}")
        self._after = begins + len(name)
        return _Token(at, full, _Quantity(value, figure.unit, f"{full} {_shown(value, figure.unit)}"))

    def _known(self, row: Row, name: str) -> float | None:
        """A figure's value, if there is one."""
        if not row.valid and name not in _OF_ANY:
            return None
        first, *rest = FIGURES[name].where.split(".")
        value: Any = self._ratio(row) if first == "ratio" else getattr(row, first)
        for part in rest:
            value = None if value is None else getattr(value, part)
        return None if value is None else float(value)

    def _ratio(self, row: Row) -> Interval | None:
        control, name = self._point.control, row.subject.name
        pair = control if control is not None and control.of == name else self._point.ratio(name)
        return None if pair is None else pair.ratio

    def _number(self, found: re.Match[str]) -> _Token:
        text, unit, at = found.group().rstrip(), found["unit"], found.start()
        if word := _WORD.match(self._text, at + len(text)):
            self._wrong(f"unknown unit {word.group()!r}", word.start(), "%, ms, s, MiB, or none")
        self._after = found.end()
        value = float(found["number"])
        if unit == "%":
            return _Token(at, text, _Quantity(value / 100, "", text))
        units: dict[str | None, Unit | None] = {"s": "s", "ms": "ms", "MiB": "MiB", None: None}
        return _Token(at, text, _Quantity(value, units[unit], text))

    def _take(self, *signs: str) -> _Token | None:
        """The next piece, if it is one of these signs."""
        token = self._token
        if token.quantity is not None or token.sign not in signs:
            return None
        self._token = self._next(self._after)
        return token

    def _wrong(self, what: str, at: int, allowed: str) -> NoReturn:
        where = "at the end" if at >= len(self._text.rstrip()) else f"at character {at + 1}"
        raise GateError(f"{' '.join(what.split())}, {where} of {self._text!r}; allowed: {allowed}")

    def end(self) -> None:
        """Nothing may follow."""
        token = self._token
        if token.sign in _COMPARE:
            self._wrong("a second comparison", token.at, "one at a time, several joined with and, or")
        if token.sign or token.quantity:
            self._wrong(f"{token.sign!r} does not belong here", token.at, "+ - * /, and, or, or the end")

    # ── judging ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def either(self) -> tuple[bool, str]:
        """Comparisons joined with `or`: whether it holds, and how it is told."""
        holds, said = self._both()
        while self._take("or"):
            more, text = self._both()
            holds, said = holds or more, f"{said}, or {text}"
        return holds, said

    def _both(self) -> tuple[bool, str]:
        holds, said = self._comparison()
        while self._take("and"):
            more, text = self._comparison()
            holds, said = holds and more, f"{said}, and {text}"
        return holds, said

    def _comparison(self) -> tuple[bool, str]:
        left = self._sum()
        sign = self._take(*_COMPARE)
        if sign is None:
            self._wrong("a comparison is missing", self._token.at, f"+ - * /, {_ONE_OF}")
        right = self._sum()
        unit = self._common(left, right, sign)
        one, other = _in(left, unit), _in(right, unit)
        if not (math.isfinite(one) and math.isfinite(other)):
            self._wrong("a number is too large", sign.at, "what a computer can count")
        holds = _COMPARE[sign.sign](one, other)
        said = f"{_side(left, unit)} {sign.sign} {_side(right, unit)}: {'yes' if holds else 'no'}"
        if one != other and _shown(one, unit) == _shown(other, unit):
            said += f", by {_shown(abs(one - other), unit)}"
        return holds, said

    def _sum(self) -> _Quantity:
        left = self._product()
        while sign := self._take("+", "-"):
            right = self._product()
            unit = self._common(left, right, sign)
            one, other = _in(left, unit), _in(right, unit)
            value = one + other if sign.sign == "+" else one - other
            left = _Quantity(value, unit, f"{left.said} {sign.sign} {right.said}", single=False)
        return left

    def _product(self) -> _Quantity:
        left = self._factor()
        while sign := self._take("*", "/"):
            right = self._factor()
            value, unit = self._times(left, right, sign) if sign.sign == "*" else self._over(left, right, sign)
            left = _Quantity(value, unit, f"{left.said} {sign.sign} {right.said}", single=False)
        return left

    def _factor(self) -> _Quantity:
        token = self._token
        if token.quantity is not None:
            self._token = self._next(self._after)
            return token.quantity
        if self._take("-", "(") is None:
            what = f"{token.sign!r} does not belong here" if token.sign else "something is missing"
            self._wrong(what, token.at, "a number, MODE.FIGURE, or a sum in parentheses")
        self._nested += 1
        if self._nested > MOST_NESTED:
            self._wrong("nested too deep", token.at, f"{MOST_NESTED} parentheses and signs within each other")
        inner = self._factor() if token.sign == "-" else self._sum()
        if token.sign == "(" and not self._take(")"):
            self._wrong("a parenthesis is not closed", self._token.at, "+ - * / ), for parentheses hold sums only")
        self._nested -= 1
        if token.sign == "-":
            return _Quantity(-inner.value, inner.unit, f"-{inner.said}", single=False)
        return _Quantity(inner.value, inner.unit, f"({inner.said})", single=False)

    # ── units ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _common(self, left: _Quantity, right: _Quantity, sign: _Token) -> Unit | None:
        """In which both are to be told."""
        if left.unit is None or right.unit is None or left.unit == right.unit:
            return right.unit if left.unit is None else left.unit
        if {left.unit, right.unit} != {"s", "ms"}:
            what = f"{_kind(left.unit)} {sign.sign} {_kind(right.unit)}"
            self._wrong(f"{what} makes no sense", sign.at, "what has the same unit, and plain numbers")
        return "s"

    def _times(self, left: _Quantity, right: _Quantity, sign: _Token) -> tuple[float, Unit | None]:
        if left.unit and right.unit:
            what = f"{_kind(left.unit)} * {_kind(right.unit)}"
            self._wrong(f"{what} makes no sense", sign.at, "a factor that is a number or a share")
        unit = left.unit or right.unit  # None * None is None, and a share of a number a share
        return left.value * right.value, "" if unit is None and "" in (left.unit, right.unit) else unit

    def _over(self, left: _Quantity, right: _Quantity, sign: _Token) -> tuple[float, Unit | None]:
        if right.value == 0:
            self._wrong(f"{right.said} is 0 and divides", sign.at, "a divisor that is not 0")
        if not right.unit:
            return left.value / right.value, right.unit if left.unit is None else left.unit
        if not left.unit:
            what = f"a number / {_kind(right.unit)}"
            self._wrong(f"{what} makes no sense", sign.at, "a divisor that is a number or a share")
        unit = self._common(left, right, sign)
        return _in(left, unit) / _in(right, unit), ""


_ONE_OF = " ".join(_COMPARE)


def _match(pattern: re.Pattern[str], text: str, at: int) -> re.Match[str]:
    """Of a pattern that matches everything, if only nothing."""
    found = pattern.match(text, at)
    assert found is not None
    return found


def _kind(unit: Unit) -> str:
    return {"": "a number", "s": "a time", "ms": "a time", "MiB": "memory"}[unit]


def _in(quantity: _Quantity, unit: Unit | None) -> float:
    """Its value in a unit that it has, or can have."""
    return quantity.value / 1000 if (quantity.unit, unit) == ("ms", "s") else quantity.value


def _side(quantity: _Quantity, unit: Unit | None) -> str:
    """One side of a comparison: what was written, and what it comes to where that is not seen."""
    if quantity.single and quantity.unit is None:
        return f"{quantity.said} {unit or ''}".rstrip()
    if quantity.single and quantity.unit == unit:
        return quantity.said
    return f"{quantity.said} = {_shown(_in(quantity, unit), unit)}"


def _shown(value: float, unit: Unit | None) -> str:
    """Four digits are enough to see why.

    >>> _shown(1.80444, "s"), _shown(12345, ""), _shown(100, "")
    ('1.804 s', '12345', '100')
    """
    digits = f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"  # %g would tell powers of ten
    return f"{digits} {unit or ''}".rstrip()
