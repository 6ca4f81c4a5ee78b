"""Conditions are parsed against the columns there are, whatever those are called."""

from __future__ import annotations

import pytest

from cdc.audit.where import Condition, parse
from cdc.errors import ConfigError, NotFound

COLUMNS = ["id", "status", "status code", "a=b", "is null", 'quo"te', "x is", "<", "é"]


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("id=7", ("id", "=", "7")),
        ("id = 7", ("id", "=", "7")),
        ("id =7", ("id", "=", "7")),
        ("id= 7", ("id", "=", " 7")),
        ("id=", ("id", "=", "")),
        ("id!=7", ("id", "!=", "7")),
        ("id<7", ("id", "<", "7")),
        ("id<=7", ("id", "<=", "7")),
        ("id>7", ("id", ">", "7")),
        ("id >= 7", ("id", ">=", "7")),
        ("id==7", ("id", "=", "=7")),
        ("status=a=b, c>d", ("status", "=", "a=b, c>d")),
        ("status=line\nbreak", ("status", "=", "line\nbreak")),
        ("status code=1", ("status code", "=", "1")),
        ('"status code" = 1', ("status code", "=", "1")),
        ("a=b=c", ("a=b", "=", "c")),
        ('"a=b"=c', ("a=b", "=", "c")),
        ('"quo""te"=c', ('quo"te', "=", "c")),
        ('quo"te=c', ('quo"te', "=", "c")),
        ("is null=1", ("is null", "=", "1")),
        ("<<1", ("<", "<", "1")),
        ("é=é", ("é", "=", "é")),
        ("id is null", ("id", "is null", None)),
        ("id IS  NOT  NULL ", ("id", "is not null", None)),
        ("is null is null", ("is null", "is null", None)),
        ("x is is null", ("x is", "is null", None)),
        ("id=null", ("id", "=", "null")),
    ],
)
def test_conditions(text, condition):
    assert parse(text, COLUMNS) == Condition(*condition)


@pytest.mark.parametrize("text", ["Status=secret", "secretid=7", "statu=secret", "nothing is null", 'x="secret"'])
def test_unknown_columns_name_those_there_are(text):
    with pytest.raises(NotFound) as caught:
        parse(text, COLUMNS)
    assert "id, status" in str(caught.value.hint)
    assert "secret" not in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize("text", ["secret", "", "id", "id is", "id like x", "=secret"])
def test_what_is_no_condition_shows_how(text):
    with pytest.raises(ConfigError, match="not a condition") as caught:
        parse(text, COLUMNS)
    assert "COLUMN=VALUE" in str(caught.value.hint)
    assert "secret" not in str(caught.value)


def test_a_condition_does_not_print_its_value():
    assert "secret" not in repr(parse("id=secret", COLUMNS))
