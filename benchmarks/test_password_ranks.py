"""Does `benchmarks.password_ranks` measure what it says?"""

import itertools

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
