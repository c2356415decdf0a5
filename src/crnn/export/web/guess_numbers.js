// The password meter's table: -log P of samples, ascending, then log10 of the guesses for less probable texts.
const guessTable = new Float32Array(Uint8Array.from(atob(GUESSES), (character) => character.charCodeAt(0)).buffer);

/**
 * Return log10 of about how many guesses find a text if the most probable ones are tried first.
 *
 * It is estimated from samples, as `model.guess_number([text]).estimate` in Python.
 */
export function guessNumber(text) {
  const inverse = -score(text);
  const samples = guessTable.length / 2;
  let first = 0; // how many samples are more probable
  let end = samples;
  while (first < end) {
    const middle = (first + end) >> 1;
    if (guessTable[middle] < inverse - 1e-5) first = middle + 1;
    else end = middle;
  }
  return first ? guessTable[samples + first - 1] : 0;
}
