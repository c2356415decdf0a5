// Anomalies: texts whose score is below a threshold.

const ALTERNATIVES = 2; // symbols expected at a place

class Detector {
  // `model` has a language model, its vocabulary, the threshold, the reduction (see `score`) and the rules of the mask.
  constructor(model, stored) {
    this.detector = model;
    this.model = createModel(model.model, stored);
    this.symbols = new Symbols(model.vocabulary);
    this.mask = new Mask(model.mask);
  }

  // The codes of a masked text, and the place of each and of the end in the original text, in units of JavaScript.
  read(text) {
    let units = text;
    let places = Array.from({ length: text.length + 1 }, (_, i) => i);
    if (this.symbols.kind === "bytes") ({ units, places } = bytesOf(text));
    const masked = this.mask.apply(units, places);
    const characters = this.symbols.kind === "bytes" ? masked.text.split("") : Array.from(masked.text);
    const codes = characters.map((character) => character.codePointAt(0));
    let unit = 0;
    const found = characters.map((character) => {
      const place = masked.places[unit];
      unit += character.length;
      return place;
    });
    return { codes, places: [...found, masked.places[unit]] };
  }

  // -log P of each character of a masked text and of its end, Infinity for a character that the model does not know and
  // skips; and the symbols expected at the place of the largest.
  surprisal(codes) {
    const { idOf, unknown, boundary } = this.symbols;
    const ids = codes.map((code) => (idOf.has(code) ? idOf.get(code) : unknown));
    const state = this.model.start();
    const nats = [];
    let worst = -Infinity;
    let expected = [];
    for (const id of withEnd(ids, boundary)) {
      const logits = this.model.predict(state);
      nats.push(id === null ? Infinity : logTotal(logits) - logits[id]);
      if (nats[nats.length - 1] > worst) {
        worst = nats[nats.length - 1];
        expected = this.likeliest(logits);
      }
      if (id !== null) this.model.read(state, id);
    }
    return { nats, expected };
  }

  likeliest(logits) {
    const p = probabilities(logits);
    const ids = byProbability(p).slice(0, ALTERNATIVES);
    return ids.map((id) => ({ text: this.symbols.decode([id]), probability: p[id] }));
  }

  // The reduction's `least` times the smallest log-probability, plus `total` times the sum / length ** power.
  score(nats) {
    if (nats.includes(Infinity)) return -Infinity;
    const { least, total, power } = this.detector.reduction;
    const largest = nats.reduce((a, b) => Math.max(a, b), 0);
    return -(least * largest + (total * sum(nats)) / Math.max(nats.length, 1) ** power);
  }

  // The score of a text; -log P of each masked character and of the end, and their places in the original text; the
  // index of the least probable one, or -1; and the symbols expected there.
  explain(text) {
    const { codes, places } = this.read(text);
    const { nats, expected } = this.surprisal(codes);
    const worst = nats.indexOf(nats.reduce((a, b) => Math.max(a, b), 0));
    return { score: this.score(nats), nats, places, worst, expected };
  }

  detect(text) {
    const { score, places, worst, expected } = this.explain(text);
    const { threshold } = this.detector;
    const verdict = score >= threshold ? "normal" : "anomaly";
    return { score, threshold, verdict, place: worst < 0 ? null : places[worst], expected };
  }
}

// The bytes of a text as UTF-8, as characters with these codes, and the place of each and of the end in the text.
function bytesOf(text) {
  const encoder = new TextEncoder();
  const units = [];
  const places = [];
  let place = 0;
  for (const character of text) {
    for (const byte of encoder.encode(character)) {
      units.push(String.fromCharCode(byte));
      places.push(place);
    }
    place += character.length;
  }
  return { units: units.join(""), places: [...places, place] };
}
