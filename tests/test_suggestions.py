"""An unknown name is told with the nearest known one."""

from sslens.suggestions import unknown


def test_the_nearest_known_one_is_guessed():
    words = unknown("key", "seeed", ["title", "seed"])
    assert words == "unknown key 'seeed'; did you mean 'seed'? known are title, seed"


def test_nothing_is_guessed_where_nothing_is_near():
    assert unknown("arm", "zzz", iter(["a", "b"])) == "unknown arm 'zzz'; known are a, b"
    assert unknown("arm", 3, ["a"]) == "unknown arm 3; known are a"
