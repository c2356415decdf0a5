// Counts of the next symbol after the letters of a word so far, then also after the word before, and two words before. A
// context is the hash of these letters, for which all cases of a letter are one symbol; counts of characters tell the
// cases apart.

const LATEST = 48; // symbols that a context depends on
const WORD_LEVELS = 3;
const SHARE_STEP = 1 / 20; // of the logarithm of the shares that the numbers 0, 1, ... stand for

// A hash of 64 bits and another number, from 0 to 2**32. Doubles are exact up to 2**53, so products are of 16 bits.
function wordHash([high, low], value) {
  const sum = (0x7f4a7c15 + value) % 2 ** 32;
  const carry = Math.floor((0x7f4a7c15 + value) / 2 ** 32);
  const a = (low ^ sum) >>> 0;
  const b = (high ^ (0x9e3779b9 + carry)) >>> 0;
  const lower = (a & 0xffff) * 0x8ccd;
  const middle = (a >>> 16) * 0x8ccd + (a & 0xffff) * 0xed55 + Math.floor(lower / 2 ** 16);
  const newLow = (((middle & 0xffff) << 16) | (lower & 0xffff)) >>> 0;
  const upper = (a >>> 16) * 0xed55 + Math.floor(middle / 2 ** 16);
  const newHigh = (upper + Math.imul(b, 0xed558ccd) + Math.imul(a, 0xff51afd7)) >>> 0;
  return [newHigh, (newLow ^ newHigh) >>> 0];
}

class Words {
  // `model` has lengths (the numbers of contexts of each level), bytes (of each of the stored arrays: keys, sizes,
  // symbols, escapes, shares), base (the probability of each symbol in an unknown context), letters (ranges of ids),
  // folds (pairs of a symbol and the one that stands for all its cases), symbols and boundary. `characters` are counts.
  constructor(model, stored, characters) {
    this.model = model;
    this.characters = characters;
    const [keys, sizes, symbols, escapes, shares] = model.bytes.map((n) => new Uint8Array(stored.take(n)));
    this.keys = Uint32Array.from(unpacked(keys)); // for the time being, the differences within a level
    this.symbols = unpacked(symbols);
    this.escapes = escapes;
    this.shares = shares;
    this.first = new Uint32Array(this.keys.length + 1);
    unpacked(sizes).forEach((size, context) => (this.first[context + 1] = this.first[context] + size));
    this.levels = [0]; // the first context of each level, and the end
    for (const length of model.lengths) {
      const start = this.levels.at(-1);
      for (let i = start + 1; i < start + length; i++) this.keys[i] += this.keys[i - 1];
      this.levels.push(start + length);
    }
    this.isLetter = new Uint8Array(model.symbols);
    for (const [first, end] of model.letters) this.isLetter.fill(1, first, end);
    this.folds = Array.from({ length: model.symbols }, (_, id) => id);
    this.hasCases = new Uint8Array(model.symbols);
    for (const [id, fold] of model.folds) {
      this.folds[id] = fold;
      this.hasCases[id] = this.hasCases[fold] = 1;
    }
    this.shareOf = Array.from({ length: 256 }, (_, number) => Math.exp(-SHARE_STEP * number));
    this.p = new Float64Array(model.symbols);
    this.sums = new Float64Array(model.symbols);
    this.logits = new Float64Array(model.symbols);
  }

  // The latest symbols since the last boundary, and the state of the characters.
  start() {
    return { latest: [], characters: this.characters.start() };
  }

  copy(state) {
    return { latest: [...state.latest], characters: this.characters.copy(state.characters) };
  }

  read(state, id) {
    this.characters.read(state.characters, id);
    if (id === this.model.boundary) state.latest.length = 0;
    else if (state.latest.push(id) > LATEST) state.latest.shift();
  }

  // The keys of the contexts after some symbols.
  keysAfter(latest) {
    let n = latest.length;
    let hash = [0, 0];
    const addRun = (kind) => {
      for (; n > 0 && this.isLetter[latest[n - 1]] === kind; n--) hash = wordHash(hash, this.folds[latest[n - 1]]);
    };
    const isBetween = n > 0 && !this.isLetter[latest[n - 1]];
    if (isBetween) hash = [0, 1];
    addRun(isBetween ? 0 : 1);
    const keys = [hash[0]];
    while (keys.length < WORD_LEVELS) {
      hash = wordHash(hash, 2 ** 32); // the end of a word
      while (n > 0 && !this.isLetter[latest[n - 1]]) n--;
      addRun(1);
      keys.push(hash[0]);
    }
    return keys;
  }

  // The context of a level with a key, or -1.
  context(level, key) {
    let first = this.levels[level];
    let end = this.levels[level + 1];
    while (first < end) {
      const middle = (first + end) >> 1;
      if (this.keys[middle] < key) first = middle + 1;
      else end = middle;
    }
    return first < this.levels[level + 1] && this.keys[first] === key ? first : -1;
  }

  // The logits of the next symbol, which are log-probabilities. The next call reuses the array.
  predict(state) {
    const { p, sums, logits, folds } = this;
    const keys = this.keysAfter(state.latest);
    let factor = 1;
    p.fill(0);
    for (let level = WORD_LEVELS - 1; level >= 0; level--) {
      const context = this.context(level, keys[level]);
      if (context < 0) continue;
      for (let e = this.first[context]; e < this.first[context + 1]; e++) {
        p[this.symbols[e]] += factor * this.shareOf[this.shares[e]];
      }
      factor *= this.shareOf[this.escapes[context]];
    }
    const others = this.characters.predict(state.characters);
    sums.fill(0);
    for (let i = 0; i < p.length; i++) {
      p[i] += factor * this.model.base[i];
      sums[folds[i]] += Math.exp(others[i]);
    }
    for (let i = 0; i < p.length; i++) {
      const share = this.hasCases[i] ? Math.exp(others[i]) / Math.max(sums[folds[i]], 1e-300) : 1;
      logits[i] = Math.log(Math.max(p[folds[i]] * share, 1e-300));
    }
    return logits;
  }
}

KINDS.set("words", (model, stored, members) => new Words(model, stored, members[model.characters]));
