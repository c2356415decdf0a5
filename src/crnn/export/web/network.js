// The network reads one symbol at a time and returns the logits of the next symbol.
// Weights are 32-bit and sums are 64-bit floats, so the logits agree with Python's to about 1e-6. 8-bit matrices that
// multiply states stay integer matrices, and their products are the same as a quantized model's in Python.

// y += w x for a row-major matrix w. Four rows at a time share each load of x.
function addProduct(w, rows, columns, x, y) {
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const a = row * columns;
    const b = a + columns;
    const c = b + columns;
    const d = c + columns;
    let sumA = 0;
    let sumB = 0;
    let sumC = 0;
    let sumD = 0;
    for (let k = 0; k < columns; k++) {
      const v = x[k];
      sumA += w[a + k] * v;
      sumB += w[b + k] * v;
      sumC += w[c + k] * v;
      sumD += w[d + k] * v;
    }
    y[row] += sumA;
    y[row + 1] += sumB;
    y[row + 2] += sumC;
    y[row + 3] += sumD;
  }
  for (; row < rows; row++) {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += w[row * columns + k] * x[k];
    y[row] += sum;
  }
}

// y += w h for a state h. With 8-bit weights, h is rounded to multiples of 1/127.
function addStateProduct({ numbers, scale }, h, y) {
  if (scale === null) {
    addProduct(numbers, y.length, h.length, h, y);
    return;
  }
  const levels = new Float64Array(h.length);
  const sums = new Float64Array(y.length);
  for (let k = 0; k < h.length; k++) levels[k] = level(h[k]);
  addProduct(numbers, y.length, h.length, levels, sums);
  for (let row = 0; row < y.length; row++) y[row] += (scale[row] / LEVELS) * sums[row];
}

const LEVELS = 127; // the integer that represents a state of 1

// The integer nearest to 127 h; ties go to the even integer.
function level(h) {
  const x = LEVELS * h;
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}

// A network's weights, read one array after another. `kind` is "float32", "float16" or "int8". For "int8", a matrix is
// stored as integers followed by one scale per output, and biases are float32.
class StoredWeights {
  constructor(stored, kind) {
    this.stored = stored;
    this.kind = kind;
  }

  take(count) {
    return this.stored.take(count);
  }

  floats(count) {
    if (this.kind === "float16") return Float32Array.from(new Uint16Array(this.take(2 * count)), fromHalf);
    return new Float32Array(this.take(4 * count));
  }

  // A matrix that multiplies states: its numbers, and the scale of each row or null.
  matrix(outputs, inputs) {
    if (this.kind !== "int8") return { numbers: this.floats(outputs * inputs), scale: null };
    return { numbers: new Int8Array(this.take(outputs * inputs)), scale: this.floats(outputs) };
  }

  // A matrix that multiplies other vectors, as floats.
  floatMatrix(outputs, inputs) {
    const { numbers, scale } = this.matrix(outputs, inputs);
    return scale ? Float32Array.from(numbers, (number, i) => number * scale[Math.floor(i / inputs)]) : numbers;
  }

  // A lookup table, as floats, with one scale per column.
  table(rows, columns) {
    if (this.kind !== "int8") return this.floats(rows * columns);
    const integers = new Int8Array(this.take(rows * columns));
    const scale = this.floats(columns);
    return Float32Array.from(integers, (number, i) => number * scale[i % columns]);
  }
}

// A 16-bit floating-point number.
function fromHalf(bits) {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  const size = exponent ? (1024 + fraction) * 2 ** (exponent - 25) : fraction * 2 ** -24;
  return bits & 0x8000 ? -size : size;
}

// The state of the network: h of each layer, c of each LSTM layer, and the last symbol read.
class NetworkState {
  constructor(layers, hidden) {
    this.symbol = 0; // the last symbol's id plus 1, or 0 at the start
    this.h = Array.from({ length: layers }, () => new Float64Array(hidden));
    this.c = Array.from({ length: layers }, () => new Float64Array(hidden));
  }

  clear() {
    this.symbol = 0;
    for (const array of [...this.h, ...this.c]) array.fill(0);
  }

  copy() {
    const other = new NetworkState(this.h.length, this.h[0].length);
    other.symbol = this.symbol;
    this.h.forEach((array, layer) => other.h[layer].set(array));
    this.c.forEach((array, layer) => other.c[layer].set(array));
    return other;
  }
}

class Network {
  // `model` has cell, gates, separateBias (whether the last gate has a second bias), layers, hidden (units per layer),
  // symbols, outputs (how many of these it predicts, the first ones), embedding (the size of a symbol's vector, or null), pairs (the key of each row of the pair table, see
  // `addPair`) and boundary (an id or null).
  // `numbers` contain the pair table; the embedding, one row per symbol; Wx, Wh, bh and (for a GRU) bhn of each layer;
  // then Why and by. Without an embedding, the first Wx has one row per symbol.
  constructor(model, numbers) {
    const stored = new StoredWeights(numbers, model.weights);
    this.model = model;
    const H = model.hidden;
    const G = model.gates * H;
    this.pairTable = model.pairs.length ? stored.table(model.pairs.length, G) : null;
    this.rowOf = new Map(model.pairs.map((key, row) => [key, row]));
    const E = model.embedding;
    this.embedding = E === null ? null : stored.table(model.symbols, E);
    this.layers = [];
    for (let layer = 0; layer < model.layers; layer++) {
      const Wx = layer ? stored.matrix(G, H) : E === null ? stored.table(model.symbols, G) : stored.floatMatrix(G, E);
      this.layers.push({
        Wx,
        Wh: stored.matrix(G, H),
        bh: stored.floats(G),
        bhn: model.separateBias ? stored.floats(H) : null,
      });
    }
    this.Why = stored.matrix(model.symbols, H);
    this.by = stored.floats(model.symbols).subarray(0, model.outputs);
    this.sums = new Float64Array(G);
    this.recurrent = new Float64Array(G);
    this.logits = new Float64Array(model.outputs);
  }

  // The state at the start of a text (zeros) or of a document (the state after the boundary).
  start() {
    return this.startAfter(this.model.boundary);
  }

  // The state after a first symbol, or of zeros for null.
  startAfter(id) {
    const state = new NetworkState(this.model.layers, this.model.hidden);
    if (id !== null) this.read(state, id);
    return state;
  }

  copy(state) {
    return state.copy();
  }

  // Read a symbol. The boundary starts a new document, so it is always read from a state of zeros.
  read(state, id) {
    const H = this.model.hidden;
    const sums = this.sums;
    if (id === this.model.boundary) state.clear();
    this.layers.forEach((layer, number) => {
      const h = state.h[number];
      sums.set(layer.bh);
      if (number) {
        addStateProduct(layer.Wx, state.h[number - 1], sums);
      } else if (this.embedding !== null) {
        const E = this.model.embedding;
        addProduct(layer.Wx, sums.length, E, this.embedding.subarray(id * E, (id + 1) * E), sums);
      } else {
        this.addRow(layer.Wx, id);
      }
      if (number === 0) this.addPair(state, id);
      if (this.model.cell === "gru") {
        this.gru(layer, h);
        return;
      }
      addStateProduct(layer.Wh, h, sums);
      if (this.model.cell === "lstm") this.lstm(h, state.c[number]);
      else if (this.model.cell === "cifg") this.cifg(h, state.c[number]);
      else for (let j = 0; j < H; j++) h[j] = Math.tanh(sums[j]);
    });
  }

  // Add the pair table's row for the last symbol and this symbol, if there is such a row; then remember this symbol.
  addPair(state, id) {
    const row = this.rowOf.get(state.symbol * this.model.symbols + id);
    state.symbol = id + 1;
    if (row !== undefined) this.addRow(this.pairTable, row);
  }

  // Add a table's row to the sums.
  addRow(table, row) {
    const sums = this.sums;
    const first = row * sums.length;
    for (let j = 0; j < sums.length; j++) sums[j] += table[first + j];
  }

  // The gates of an LSTM are i, f, g, o.
  lstm(h, c) {
    const H = h.length;
    const z = this.sums;
    for (let j = 0; j < H; j++) {
      c[j] = sigmoid(z[H + j]) * c[j] + sigmoid(z[j]) * Math.tanh(z[2 * H + j]);
      h[j] = sigmoid(z[3 * H + j]) * Math.tanh(c[j]);
    }
  }

  // The gates of an LSTM with coupled gates are f, g, o; its input gate is 1 - f.
  cifg(h, c) {
    const H = h.length;
    const z = this.sums;
    for (let j = 0; j < H; j++) {
      const fresh = Math.tanh(z[H + j]);
      c[j] = fresh + sigmoid(z[j]) * (c[j] - fresh);
      h[j] = sigmoid(z[2 * H + j]) * Math.tanh(c[j]);
    }
  }

  // The gates of a GRU are r, z, n; r multiplies the recurrent part of n.
  gru(layer, h) {
    const H = h.length;
    const z = this.sums;
    const m = this.recurrent;
    m.fill(0);
    m.set(layer.bhn, 2 * H);
    addStateProduct(layer.Wh, h, m);
    for (let j = 0; j < H; j++) {
      const reset = sigmoid(z[j] + m[j]);
      const keep = sigmoid(z[H + j] + m[H + j]);
      const fresh = Math.tanh(z[2 * H + j] + reset * m[2 * H + j]);
      h[j] = fresh + keep * (h[j] - fresh);
    }
  }

  // The logits of the next symbol. The next call reuses the array.
  predict(state) {
    this.logits.set(this.by);
    addStateProduct(this.Why, state.h[this.model.layers - 1], this.logits);
    return this.logits;
  }
}

KINDS.set("network", (model, stored) => new Network(model, stored));
