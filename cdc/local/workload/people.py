"""Persons who do not exist, the same ones for the same seed.

``person(seed, number)`` is a pure function, so the trading and the portfolio database share persons without talking to
each other: customer *n* and client *n* of one seed have the same e-mail address and tax id, and their tokens join.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field

# (as written, in ASCII for the e-mail address); one row per naming culture: given names, family names.
_NAMES: tuple[tuple[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]], ...] = (
    (
        (("Mary", "mary"), ("James", "james"), ("Latisha", "latisha"), ("Robert", "robert"), ("Sinéad", "sinead")),
        (("Smith", "smith"), ("O'Brien", "obrien"), ("Null", "null"), ("Washington-Lee", "washington"), ("Ng", "ng")),
    ),
    (
        (("Jürgen", "juergen"), ("Anna", "anna"), ("Günther", "guenther"), ("Zoë", "zoe")),
        (("Müller", "mueller"), ("Weiß", "weiss"), ("von der Höhe", "vonderhoehe"), ("Groß", "gross")),
    ),
    (
        (("Thị Minh", "minh"), ("Văn Đức", "duc"), ("Thùy Linh", "linh")),
        (("Nguyễn", "nguyen"), ("Trần", "tran"), ("Phạm", "pham")),
    ),
    (
        (("太郎", "taro"), ("花子", "hanako"), ("翔", "sho")),
        (("山田", "yamada"), ("佐藤", "sato"), ("髙橋", "takahashi")),
    ),
    (
        (("José", "jose"), ("Iñaki", "inaki"), ("Mari\u0301a", "maria")),  # the last accent is a combining one
        (("García", "garcia"), ("Muñoz", "munoz"), ("Peña y Ortiz", "pena")),
    ),
    (
        (("محمد", "mohammed"), ("ليلى", "layla")),
        (("الحسن", "alhassan"), ("خوري", "khoury")),
    ),
)
_STREETS = ("Main St", "Rue de l'Église", "Königstraße", "Đường Lê Lợi", "桜丘町", "Calle 8", "W 42nd St", "Broad St")
_TOWNS = (
    ("Springfield, IL 62701", "US"),
    ("New York, NY 10005", "US"),
    ("Charleston, SC 29401", "US"),
    ("70173 Stuttgart", "DE"),
    ("8001 Zürich", "CH"),
    ("TP. Hồ Chí Minh", "VN"),
    ("東京都渋谷区 150-0031", "JP"),
    ("28013 Madrid", "ES"),
)
_MAIL_HOSTS = ("example.com", "example.org", "mail.example.net", "Example.COM")


@dataclass(frozen=True, slots=True)
class Person:
    """One invented person. Values stay out of ``repr``: they are treated like real ones."""

    full_name: str = field(repr=False)
    email: str = field(repr=False)
    phone: str = field(repr=False)
    tax_id: str = field(repr=False)
    born: dt.date = field(repr=False)
    address: str = field(repr=False)
    residence: str


def person(seed: int, number: int) -> Person:
    """Return person ``number`` (from 0) of ``seed``. E-mail addresses do not repeat within a seed."""
    rng = random.Random(f"person/{seed}/{number}")  # noqa: S311  (invented data, not secrets)
    given, family = rng.choice(_NAMES)
    (first, first_ascii), (last, last_ascii) = rng.choice(given), rng.choice(family)
    town, residence = rng.choice(_TOWNS)
    return Person(
        full_name=f"{first} {last}",
        email=f"{first_ascii}.{last_ascii}.{seed}.{number}@{rng.choice(_MAIL_HOSTS)}",
        phone=f"+1 ({rng.randint(201, 989)}) {rng.randint(200, 999)}-{rng.randint(0, 9999):04d}",
        tax_id=f"{rng.randint(1, 665):03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}",
        born=dt.date(1930, 1, 1) + dt.timedelta(days=rng.randint(0, 27_000)),
        address=f"{rng.randint(1, 9999)} {rng.choice(_STREETS)}\nApt {rng.randint(1, 99)}\n{town}",
        residence=residence,
    )
