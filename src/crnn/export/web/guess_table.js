// The table of a password meter: -log P of samples, ascending, then log10 of the guesses for less probable texts.

class GuessTable {
  constructor(base64) {
    this.numbers = new Float32Array(new StoredNumbers(base64).bytes.buffer);
    this.samples = this.numbers.length / 2;
  }

  // How many samples are more probable than a text, from its -log P.
  rank(inverse) {
    let first = 0;
    let end = this.samples;
    while (first < end) {
      const middle = (first + end) >> 1;
      if (this.numbers[middle] < inverse - 1e-5) first = middle + 1;
      else end = middle;
    }
    return first;
  }

  // log10 of the guesses that find a text of this rank.
  guesses(rank) {
    return rank ? this.numbers[this.samples + rank - 1] : 0;
  }
}
