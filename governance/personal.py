"""What a column's name suggests about a person. A hint for whoever reviews a policy, never a decision by itself.

English words only, and only the name is looked at: a column ``c7`` may hold anything.
"""

from __future__ import annotations

import re
from itertools import pairwise

_MEANINGS: dict[str, str] = {
    "an e-mail address": "email mail emailaddress",
    "a telephone number": "phone telephone tel mobile cell cellphone fax msisdn phonenumber",
    "a network or device identifier": "ip ipaddress useragent device deviceid cookie session mac imei",
    "a tax or identity number": "ssn sin nino tin taxid passport nationalid socialsecurity licence license",
    "a date of birth or an age": "birth dob birthday birthdate dateofbirth born age",
    "a person's name": "firstname lastname fullname surname middlename forename givenname familyname maiden nickname"
    " username login contact contactname",
    "a postal address": "address address1 address2 street city zip zipcode postal postcode postalcode district region",
    "a bank account or card": "iban bic swift accountno accountnumber card cardnumber creditcard pan cvv cvc routing",
    "a sensitive attribute": "gender sex race ethnicity religion nationality marital disability health diagnosis blood",
    "a credential": "password passwd pwd passphrase secret token apikey pin hash salt",
    "a place": "latitude longitude lat lng lon geo location gps",
    "pay": "salary wage income bonus compensation",
    "a picture or biometric": "photo picture avatar signature fingerprint biometric face",
    "free text, which can name anybody": "note notes comment comments remark remarks memo message feedback body bio",
}
"""Meaning → words, the surest first: a ``contact_email`` is an e-mail address."""
_BY_WORD = {word: meaning for meaning, words in _MEANINGS.items() for word in words.split()}
_SURENESS = list(_MEANINGS)
_NAME, _NUMBER = "a person's name", "a tax or identity number"
_BY_PAIR = {
    **{(kind, "name"): _NAME for kind in ("first", "last", "full", "middle", "given", "family", "user", "nick")},
    **dict.fromkeys(
        [("tax", "id"), ("tax", "number"), ("national", "id"), ("identity", "number"), ("social", "security")], _NUMBER
    ),
    ("account", "number"): "a bank account or card",
    ("account", "no"): "a bank account or card",
    ("user", "agent"): "a network or device identifier",
    ("api", "key"): "a credential",
}
_PEOPLE = frozenset(
    {
        "customer", "client", "person", "people", "user", "member", "employee", "staff", "patient", "actor", "author",
        "contact", "owner", "holder", "subscriber", "student", "teacher", "guest", "passenger", "driver", "tenant",
        "borrower", "investor", "beneficiary", "applicant", "candidate", "agent", "worker", "individual", "citizen",
        "party",
    }
)  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def meaning(column: str, table: str) -> str | None:
    """What the name of a column suggests it holds about a person, or None. ``table``: the table's own name."""
    words = _split(column)
    for pair in pairwise(words):
        if pair in _BY_PAIR:
            return _BY_PAIR[pair]
    numbered = len(words) > 1 and words[-1] == "id"  # address_id is a row's number, passport_id is not
    found = {_BY_WORD[word] for word in (*words, "".join(words)) if word in _BY_WORD}
    if numbered:
        found &= {_NUMBER}
    if found:
        return min(found, key=_SURENESS.index)
    return _NAME if words == ["name"] and names_people(table) else None


def names_people(table: str) -> bool:
    """Whether a table's name says that its rows are people."""
    return any(singular(word) in _PEOPLE for word in _split(table))


def singular(word: str) -> str:
    """An English word without its plural: ``customers``, ``parties``."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word.removesuffix("s") if not word.endswith("ss") else word


def _split(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
