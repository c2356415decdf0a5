"""What a model says with every packed form of its weights; as a program, for each path of a model on a line."""

import sys

import numpy as np

from crnn import CharRNN

STRINGS = ["to be", "", "question that is not to be or", "t"]


def scores(model):
    """Return the results of several methods, which together use every packed form of the weights."""
    strings = STRINGS if model.vocabulary_.boundary is None else ["anna", "bob", "", "ahe"]
    one, text = strings[0], strings[0] * 20
    numbers = [*model.score_samples([one]), *model.score_samples(strings), model.score(text), *model.surprisal(one)]
    numbers += [model.start().feed(one).log_prob, *model.next_proba(strings).ravel(), *model.rank(one)]
    return np.array(numbers).tobytes().hex(), "".join(model.stream(7, random_state=3))


if __name__ == "__main__":
    for line in sys.stdin:
        print(scores(CharRNN.load(line.rstrip("\n"))))
