// Counts of n-grams with stored probabilities, read one symbol at a time.
// The kept symbols of a context divide 1 / (1 + odds) by their shares; the others share the rest in proportion to their
// probabilities after a shorter context. So the probabilities always sum to one. crnn's docs/design.md describes the
// layout under "Frozen counts".

// Packed numbers: seven bits per byte, the lowest first; all bytes of a number but the last have the eighth bit set.
function unpacked(bytes) {
  const numbers = [];
  let number = 0;
  let factor = 1;
  for (const byte of bytes) {
    number += (byte & 127) * factor;
    factor *= 128;
    if (byte < 128) {
      numbers.push(number);
      number = 0;
      factor = 1;
    }
  }
  return numbers;
}

class Counts {
  // `model` has lengths (the numbers of n-grams of 1, 2, ... symbols), symbols, bits (of a number), bytes (of each of
  // the stored arrays: extended, sizes, symbols, escapes, shares), scales, boundary and unknown.
  constructor(model, stored) {
    this.model = model;
    const [extended, sizes, deltas, escapes, shares] = model.bytes.map((n) => new Uint8Array(stored.take(n)));
    const Numbers = model.bits === 16 ? Uint16Array : Uint8Array;
    const [escapeLow, escapeStep, shareLow, shareStep] = model.scales;
    this.order = model.lengths.length;
    const entries = model.lengths.reduce((sum, n) => sum + n, 0);
    this.shorter = entries - model.lengths[this.order - 1];
    const counted = unpacked(sizes);
    const steps = unpacked(deltas);
    const escapeNumbers = new Numbers(escapes.buffer);
    const shareNumbers = new Numbers(shares.buffer);
    this.first = new Uint32Array(counted.length + 1); // of each context's entries
    this.odds = new Float64Array(counted.length);
    this.symbols = new Uint32Array(entries);
    this.shares = new Float64Array(entries);
    this.children = new Int32Array(entries).fill(-1); // the context that an entry forms
    let escape = 0;
    let share = 0;
    counted.forEach((size, context) => {
      const first = this.first[context];
      let symbol = -1;
      this.first[context + 1] = first + size;
      this.odds[context] = size < model.symbols ? Math.exp(escapeLow + escapeStep * escapeNumbers[escape++]) : 0;
      for (let e = first; e < first + size; e++) {
        symbol += steps[e] + 1;
        this.symbols[e] = symbol;
        this.shares[e] = size > 1 ? Math.exp(shareLow + shareStep * shareNumbers[share++]) : 1;
      }
    });
    let contexts = 1;
    for (let e = 0; e < this.shorter; e++) if ((extended[e >> 3] >> (e & 7)) & 1) this.children[e] = contexts++;
    this.logits = new Float64Array(model.symbols);
    this.p = new Float64Array(model.symbols);
  }

  // The state at the start of a text or document: the contexts of the last 0, 1, ... symbols, or -1.
  start() {
    const state = new Int32Array(this.order).fill(-1);
    state[0] = 0;
    if (this.model.boundary !== null) this.read(state, this.model.boundary);
    return state;
  }

  copy(state) {
    return state.slice();
  }

  // The context formed by a context and a symbol, or -1.
  child(context, id) {
    let first = this.first[context];
    let end = this.first[context + 1];
    while (first < end) {
      const middle = (first + end) >> 1;
      if (this.symbols[middle] < id) first = middle + 1;
      else end = middle;
    }
    return first < this.first[context + 1] && this.symbols[first] === id ? this.children[first] : -1;
  }

  read(state, id) {
    for (let k = this.order - 1; k > 0; k--) state[k] = state[k - 1] < 0 ? -1 : this.child(state[k - 1], id);
  }

  // Replace the probabilities after a shorter context by those after a context.
  refine(context, p) {
    const first = this.first[context];
    const end = this.first[context + 1];
    const odds = this.odds[context];
    const kept = 1 / (1 + odds);
    let total = 0;
    let rest = 0;
    for (let e = first; e < end; e++) {
      total += this.shares[e];
      p[this.symbols[e]] = -this.shares[e]; // negative for the time being
    }
    for (let i = 0; i < p.length; i++) if (p[i] > 0) rest += p[i];
    const factor = rest > 0 ? (odds * kept) / rest : 0;
    for (let i = 0; i < p.length; i++) p[i] = p[i] > 0 ? p[i] * factor : (-p[i] * kept) / total;
  }

  // The logits of the next symbol, which are log-probabilities. The next call reuses the array.
  predict(state) {
    this.p.fill(0);
    for (const context of state) if (context >= 0) this.refine(context, this.p);
    for (let i = 0; i < this.p.length; i++) this.logits[i] = Math.log(Math.max(this.p[i], 1e-300));
    return this.logits;
  }
}

KINDS.set("counts", (model, stored) => new Counts(model, stored));
