// What a password meter says of a password: log10 of the guesses that find it, by the model and by trying all strings
// of its length, and the surprisal of each character and of the end.

const LN2 = Math.LN2;
// The kinds of characters, and how many of each an attacker tries.
const KINDS_OF_CHARACTERS = [
  [/^[a-z]$/, 26],
  [/^[A-Z]$/, 26],
  [/^[0-9]$/, 10],
  [/^[ -~]$/, 32],
  [/^[^]$/u, 100],
];

function log10Exhaustive(characters) {
  const kinds = characters.map((character) => KINDS_OF_CHARACTERS.findIndex(([pattern]) => pattern.test(character)));
  const tried = [...new Set(kinds)].reduce((total, kind) => total + KINDS_OF_CHARACTERS[kind][1], 0);
  return characters.length ? characters.length * Math.log10(tried) : 0;
}

function createJudge({ model, vocabulary, guesses }, stored) {
  const network = createModel(model, stored);
  const symbols = new Symbols(vocabulary);
  const table = new GuessTable(guesses);
  return (text) => {
    const characters = Array.from(text);
    const exhaustive = log10Exhaustive(characters);
    const { ids, strangers } = symbols.encode(text);
    if (strangers.length) return { guesses: exhaustive, exhaustive, isBeyond: false, bits: [], strangers };
    const nats = logProbabilities(network, network.start(), withEnd(ids, symbols.boundary)).map((logP) => -logP);
    const rank = table.rank(sum(nats));
    const bits = [];
    let used = 0;
    for (const character of [...characters, ""]) {
      const length = character === "" ? 1 : symbols.codesOf(character).length;
      bits.push(sum(nats.slice(used, (used += length))) / LN2);
    }
    return { guesses: table.guesses(rank), exhaustive, isBeyond: rank === table.samples, bits, strangers };
  };
}
