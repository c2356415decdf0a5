"""Does `benchmarks.password_ranks` measure what it says?"""

import itertools

import pytest

from benchmarks import password_ranks


def test_passwords_made_as_the_list_s_are_ranked_like_it(tmp_path):
    words = ["".join(letters) for letters in itertools.product("bdf", "aei", "lmn", "o", "rst")]
    passwords = [*words, *(f"{word}1" for word in words), *(f"{word}2019" for word in words)]
    file = tmp_path / "passwords.txt"
    file.write_text("\n".join(passwords))
    assert password_ranks.read_passwords(str(file)) == passwords
    found = password_ranks.correlations(passwords, held_out=40)
    assert set(found) == {"square roots", "frequencies", "none"}
    assert found["square roots"] > 0.8
    assert password_ranks.correlations(passwords[::-1], held_out=40)["none"] < 0


def test_common_passwords_take_few_guesses_and_random_ones_many():
    passwords = [f"{word}{year}" for year in range(1950, 2026) for word in ("dragon", "summer", "tiger", "star")]
    choice = password_ranks.choose(passwords, seed=0, n_held_out=57)
    assert not {*choice.learned} & {*choice.held_out}
    assert [passwords[rank] for rank in choice.ranks] == choice.held_out
    models = dict(password_ranks.models(choice, seed=0))
    guess = models["square roots"]
    assert guess(["q7x0vk2m9zjw"])[0] > 1000 * guess(choice.held_out).max()
    assert guess(["zq"])[0] <= 26**2
    assert password_ranks.strong_share(models["none"], choice.held_out) == 0
    assert password_ranks.strong_share(models["none"], ["q7x0vk2m9zjw"]) == 1


def test_zxcvbn_does_not_know_what_is_held_out():
    pytest.importorskip("zxcvbn")
    rare = password_ranks.read_passwords("zxcvbn")[-7]
    (without,) = password_ranks.zxcvbn_without([rare])([rare])
    (known,) = password_ranks.zxcvbn_without(["123456"])([rare])
    assert known == 30_000 - 6 + 1
    assert without > known
