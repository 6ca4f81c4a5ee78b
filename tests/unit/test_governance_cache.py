"""The bounded cache forgets the least used, and never hands out anything else."""

from __future__ import annotations

from governance.cache import Recent


def test_bounded():
    cache = Recent(10)
    for n in range(1000):
        cache.put(n, str(n))
        assert len(cache) <= 20
    assert cache.get(999) == "999"
    assert cache.get(0) is None


def test_what_is_used_stays():
    cache = Recent(10)
    cache.put("kept", 1)
    for n in range(1000):
        cache.put(n, n)
        assert cache.get("kept") == 1


def test_new_value_replaces_the_old():
    cache = Recent(1)
    for value in range(5):
        cache.put("name", value)
        assert cache.get("name") == value
    cache.put("other", 1)
    assert cache.get("name") == 4
    cache.clear()
    assert cache.get("name") is None
    assert len(cache) == 0


def test_text_form_shows_nothing():
    cache = Recent(5)
    cache.put("ann@example.com", b"key")
    assert "ann" not in repr(cache)
    assert "key" not in repr(cache)
