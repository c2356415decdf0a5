// min-char-rnn: one layer of tanh units, trained chunk by chunk. All numbers are 64-bit floats, as in the NumPy script.
// T steps, H units, V symbols. Matrices are row-major and (outputs, inputs), but Wxh has one row of H for each symbol.

// x += w' y for a row-major matrix w. Four rows at a time share each load of x.
function addTransposedProduct(w, rows, columns, y, x) {
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const a = row * columns;
    const b = a + columns;
    const c = b + columns;
    const d = c + columns;
    const p = y[row];
    const q = y[row + 1];
    const r = y[row + 2];
    const s = y[row + 3];
    for (let k = 0; k < columns; k++) x[k] += w[a + k] * p + w[b + k] * q + w[c + k] * r + w[d + k] * s;
  }
  for (; row < rows; row++) {
    const p = y[row];
    for (let k = 0; k < columns; k++) x[k] += w[row * columns + k] * p;
  }
}

// g = the sum over t of y_t x_t', for two lists of vectors: every element of g is written once for four time steps.
function setToOuterProducts(g, ys, xs) {
  const rows = ys[0].length;
  const columns = xs[0].length;
  const T = ys.length;
  g.fill(0);
  let t = 0;
  for (; t + 4 <= T; t += 4) {
    const [y0, y1, y2, y3] = [ys[t], ys[t + 1], ys[t + 2], ys[t + 3]];
    const [x0, x1, x2, x3] = [xs[t], xs[t + 1], xs[t + 2], xs[t + 3]];
    for (let i = 0; i < rows; i++) {
      const p = y0[i];
      const q = y1[i];
      const r = y2[i];
      const s = y3[i];
      const row = i * columns;
      for (let j = 0; j < columns; j++) g[row + j] += p * x0[j] + q * x1[j] + r * x2[j] + s * x3[j];
    }
  }
  for (; t < T; t++) {
    const x = xs[t];
    for (let i = 0; i < rows; i++) {
      const p = ys[t][i];
      const row = i * columns;
      for (let j = 0; j < columns; j++) g[row + j] += p * x[j];
    }
  }
}

function euclideanNorm(x) {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] * x[i];
  return Math.sqrt(sum);
}

// A normally distributed number, by Box and Muller's method.
function normalNumber(random) {
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()));
  return radius * Math.cos(2 * Math.PI * random.next());
}

function listOfVectors(count, length) {
  return Array.from({ length: count }, () => new Float64Array(length));
}

const WEIGHTS = ["Wxh", "Whh", "Why", "bh", "by"];

// The options that may change while a network trains: learning rate; limit of a gradient's elements, or Infinity;
// "adagrad" or "sgd"; whether the gradient flows back through time (the gist's dhnext); and whether the largest logit is
// subtracted before exp, which the gist does not do.
const GIST = { rate: 0.1, clip: 5, optimizer: "adagrad", dhnext: true, subtractsMax: true };

class MinCharRNN {
  // `ids` is the text to train on. A text shorter than a chunk and one more symbol makes the chunk shorter: the gist's
  // script instead reads a target that does not exist.
  constructor({ ids, symbols, hidden, length, scale, random, options = GIST }) {
    this.ids = ids;
    this.V = symbols;
    this.H = hidden;
    this.T = Math.min(length, ids.length - 1);
    this.options = options;
    const { V, H, T } = this;
    const sizes = { Wxh: V * H, Whh: H * H, Why: V * H, bh: H, by: V };
    const zeros = () => Object.fromEntries(WEIGHTS.map((name) => [name, new Float64Array(sizes[name])]));
    this.weights = zeros();
    this.gradients = zeros();
    this.sums = zeros(); // of squared gradients, Adagrad's memory
    for (const name of ["Wxh", "Whh", "Why"]) {
      const w = this.weights[name];
      for (let i = 0; i < w.length; i++) w[i] = scale * normalNumber(random);
    }
    this.states = listOfVectors(T + 1, H); // the first is the state before the chunk
    this.dy = listOfVectors(T, V); // probabilities, then the gradients of the logits
    this.dz = listOfVectors(T, H); // the gradients of the sums inside tanh
    this.position = 0;
    this.steps = 0;
    this.smoothLoss = T * Math.log(V);
    this.gradientNorm = 0;
    this.clipped = 0; // how many elements of the last gradient were clipped
  }

  // after = tanh(Wxh x + Whh before + bh), for the symbol x.
  read(x, before, after) {
    const { H } = this;
    const { Wxh, Whh, bh } = this.weights;
    const row = x * H;
    for (let i = 0; i < H; i++) after[i] = Wxh[row + i] + bh[i];
    addProduct(Whh, H, H, before, after);
    for (let i = 0; i < H; i++) after[i] = Math.tanh(after[i]);
  }

  // logits = Why h + by.
  predict(h, logits) {
    logits.set(this.weights.by);
    addProduct(this.weights.Why, this.V, this.H, h, logits);
  }

  // Replace logits by probabilities, and return the loss of a symbol in nats.
  softmax(y, target) {
    const { V } = this;
    let largest = 0;
    if (this.options.subtractsMax) {
      largest = y[0];
      for (let v = 1; v < V; v++) if (!(y[v] <= largest)) largest = y[v];
    }
    const logit = y[target] - largest;
    let total = 0;
    for (let v = 0; v < V; v++) total += y[v] = Math.exp(y[v] - largest);
    for (let v = 0; v < V; v++) y[v] /= total;
    return this.options.subtractsMax ? Math.log(total) - logit : -Math.log(y[target]);
  }

  // Train on the next chunk, and return its loss, the sum over its characters in nats.
  step() {
    const loss = this.backPropagate();
    this.update();
    this.advance(loss);
    return loss;
  }

  // Read the next chunk and compute its loss and gradients. Near the end of the text, start again from its beginning.
  backPropagate() {
    const { V, H, T, ids, weights, gradients, states, dy, dz } = this;
    if (this.position + T + 1 >= ids.length) {
      this.position = 0;
      states[0].fill(0);
    }
    const first = this.position;
    let loss = 0;
    for (let t = 0; t < T; t++) {
      const target = ids[first + t + 1];
      this.read(ids[first + t], states[t], states[t + 1]);
      this.predict(states[t + 1], dy[t]);
      loss += this.softmax(dy[t], target);
      dy[t][target] -= 1; // the derivative of the loss with respect to the logits is p minus 1 at the target
    }
    gradients.Wxh.fill(0);
    gradients.bh.fill(0);
    gradients.by.fill(0);
    for (let t = T - 1; t >= 0; t--) {
      const d = dz[t];
      const h = states[t + 1];
      d.fill(0);
      addTransposedProduct(weights.Why, V, H, dy[t], d);
      if (this.options.dhnext && t < T - 1) addTransposedProduct(weights.Whh, H, H, dz[t + 1], d);
      const row = ids[first + t] * H;
      for (let i = 0; i < H; i++) {
        d[i] *= 1 - h[i] * h[i];
        gradients.bh[i] += d[i];
        gradients.Wxh[row + i] += d[i];
      }
      for (let v = 0; v < V; v++) gradients.by[v] += dy[t][v];
    }
    setToOuterProducts(gradients.Why, dy, states.slice(1));
    setToOuterProducts(gradients.Whh, dz, states.slice(0, T));
    return loss;
  }

  // Clip the gradients, and change the weights in place.
  update() {
    const { rate, clip, optimizer } = this.options;
    let squares = 0;
    let clipped = 0;
    for (const name of WEIGHTS) {
      const w = this.weights[name];
      const d = this.gradients[name];
      const m = this.sums[name];
      for (let i = 0; i < w.length; i++) {
        let g = d[i];
        if (g === 0) continue; // changes nothing, and most rows of Wxh are of symbols outside the chunk
        squares += g * g;
        if (g > clip || g < -clip) {
          g = g > 0 ? clip : -clip;
          clipped++;
        }
        m[i] += g * g;
        w[i] -= optimizer === "sgd" ? rate * g : (rate * g) / Math.sqrt(m[i] + 1e-8);
      }
    }
    this.gradientNorm = Math.sqrt(squares);
    this.clipped = clipped;
  }

  // Go on to the next chunk, from the last state.
  advance(loss) {
    this.states[0].set(this.states[this.T]);
    this.position += this.T;
    this.steps++;
    this.smoothLoss = 0.999 * this.smoothLoss + 0.001 * loss;
  }

  // How far back the chunk's last loss reaches: the norms of its gradient with respect to the state 0, 1, 2, ... steps
  // before. To be called after `backPropagate` and before `update`.
  reach() {
    const { V, H, T, weights, states, dy } = this;
    let gradient = new Float64Array(H);
    addTransposedProduct(weights.Why, V, H, dy[T - 1], gradient);
    const norms = [euclideanNorm(gradient)];
    for (let t = T; t > 1; t--) {
      const h = states[t];
      const inside = gradient.map((d, i) => d * (1 - h[i] * h[i]));
      gradient = new Float64Array(H);
      if (this.options.dhnext) addTransposedProduct(weights.Whh, H, H, inside, gradient);
      norms.push(euclideanNorm(gradient));
    }
    return norms;
  }

  // The loss of another text in nats per character, read from the state that training is in. A state of zeros would be
  // unfair: training never returns to it, and some networks predict badly from there.
  score(ids) {
    let before = this.states[0].slice();
    let after = new Float64Array(this.H);
    const y = new Float64Array(this.V);
    let loss = 0;
    for (let i = 0; i + 1 < ids.length; i++) {
      this.read(ids[i], before, after);
      this.predict(after, y);
      loss += this.softmax(y, ids[i + 1]);
      [before, after] = [after, before];
    }
    return loss / (ids.length - 1);
  }

  // Continue the text from where training is, as the gist does: ids, the surprisal of each in bits, and the states after
  // each. It ends early if the network has become NaN.
  sample(count, temperature, random) {
    const ids = [];
    const bits = [];
    const states = new Float32Array(count * this.H);
    const controls = { temperature, topK: 0, topP: 1 };
    const y = new Float64Array(this.V);
    let h = new Float64Array(this.H);
    this.read(this.ids[this.position], this.states[0], h);
    for (let i = 0; i < count; i++) {
      this.predict(h, y);
      if (y.some(Number.isNaN)) break;
      const x = pick(weigh(y, controls, null), random.next());
      bits.push(this.softmax(y, x) / Math.LN2);
      ids.push(x);
      const next = new Float64Array(this.H);
      this.read(x, h, next);
      states.set(next, i * this.H);
      h = next;
    }
    return { ids, bits, states: states.subarray(0, ids.length * this.H) };
  }
}
