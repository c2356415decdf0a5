// What a detector says of a text: its score, the surprisal of each original character and of the end, and the place of
// the least probable one.

const LN2 = Math.LN2;

function createJudge(model, stored) {
  const detector = new Detector(model, stored);
  return (text) => {
    const { score, nats, places, worst, expected } = detector.explain(text);
    const bitsAt = new Map(); // a character can be several symbols: bytes, or a mask's replacement
    nats.forEach((each, i) => bitsAt.set(places[i], (bitsAt.get(places[i]) || 0) + each / LN2));
    const bits = []; // null for characters that the mask hides
    let place = 0;
    let least = -1; // which character is the least probable
    for (const character of text) {
      bits.push(bitsAt.has(place) ? bitsAt.get(place) : null);
      if (worst >= 0 && places[worst] === place) least = bits.length - 1;
      place += character.length;
    }
    const hasEnd = nats.length === places.length; // in a model of running text, a text has no end
    if (hasEnd) bits.push(bitsAt.get(place));
    if (hasEnd && worst === nats.length - 1) least = bits.length - 1;
    return { score, bits, hasEnd, least, expected };
  };
}
