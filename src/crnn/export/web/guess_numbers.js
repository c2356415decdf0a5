const guessTable = new GuessTable(GUESSES);

/**
 * Return log10 of about how many guesses find a text if the most probable ones are tried first.
 *
 * It is estimated from samples, as `model.guess_number([text]).estimate` in Python.
 */
export function guessNumber(text) {
  return guessTable.guesses(guessTable.rank(-score(text)));
}
