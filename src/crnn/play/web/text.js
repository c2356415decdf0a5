// The text to learn from.

const MAX_TEXT = 2_000_000; // characters
const MAX_SYMBOLS = 2_000; // distinct characters: more would need too much memory
const MIN_HELD = 50; // characters; a shorter tenth says nothing
const MAX_HELD = 2_000; // characters of the held-out tenth that are scored every second

// The code points of a text. Line ends are single characters.
function codesOfText(text) {
  return Array.from(text.replace(/\r\n?/g, "\n"), (character) => character.codePointAt(0));
}

// A text as ids of its distinct characters in order, split into a part to train on and a held-out part.
function prepareText(text) {
  const all = codesOfText(text);
  const codes = [...new Set(all)].sort((a, b) => a - b);
  const idOf = new Map(codes.map((code, id) => [code, id]));
  const ids = Int32Array.from(all, (code) => idOf.get(code));
  const counts = new Float64Array(codes.length);
  for (const id of ids) counts[id]++;
  let entropy = 0;
  for (const count of counts) entropy -= (count / ids.length) * Math.log(count / ids.length);
  const tenth = Math.floor(ids.length / 10);
  const end = ids.length - (tenth >= MIN_HELD ? tenth : 0);
  return { codes, ids: ids.slice(0, end), held: ids.slice(end, end + MAX_HELD), length: ids.length, entropy };
}
