// Write a trained network as a model file of crnn, which `CharRNN.load` reads: safetensors with a checksum. The format is
// described in the Python modules crnn.files.sealed_file and crnn.files.network_file.

const SHA256_WORDS = firstBitsOfRoots(64, 3); // of the cube roots of the first 64 primes
const SHA256_START = firstBitsOfRoots(8, 2); // of the square roots of the first 8 primes

// The first 32 bits of the fractional parts of the roots of the first primes, with exact integer arithmetic.
function firstBitsOfRoots(count, degree) {
  const found = [];
  for (let n = 2; found.length < count; n++) {
    let isPrime = true;
    for (let d = 2; d * d <= n; d++) if (n % d === 0) isPrime = false;
    if (!isPrime) continue;
    const goal = BigInt(n) << BigInt(32 * degree);
    let root = 0n;
    for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) if ((root + bit) ** BigInt(degree) <= goal) root += bit;
    found.push(Number(root & 0xffffffffn));
  }
  return found;
}

// The SHA-256 digest of bytes, in hexadecimal. The browser's own is missing in pages that come without encryption.
function sha256(bytes) {
  const padded = new Uint8Array((((bytes.length + 8) >> 6) + 1) << 6);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
  const rotate = (x, n) => (x >>> n) | (x << (32 - n));
  const hash = SHA256_START.slice();
  const w = new Int32Array(64);
  for (let block = 0; block < padded.length; block += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(block + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15];
      const y = w[i - 2];
      w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)) + w[i - 7] + (rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = hash;
    for (let i = 0; i < 64; i++) {
      const choice = (e & f) ^ (~e & g);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      const first = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + choice + SHA256_WORDS[i] + w[i]) | 0;
      const second = ((rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + majority) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + first) | 0;
      d = c;
      c = b;
      b = a;
      a = (first + second) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => (hash[i] = (hash[i] + word) | 0));
  }
  return hash.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

function joinBytes(parts) {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

// The little-endian bytes of 64-bit floats.
function bytesOfFloats(numbers) {
  const view = new DataView(new ArrayBuffer(8 * numbers.length));
  numbers.forEach((number, i) => view.setFloat64(8 * i, number, true));
  return new Uint8Array(view.buffer);
}

// A matrix with one row for each symbol, as one with one column for each.
function transposed(matrix, rows, columns) {
  const result = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) result[j * rows + i] = matrix[i * columns + j];
  return result;
}

// A tensor's name, type and shape as Python's json.dumps writes them.
function describeTensor({ name, type, shape }) {
  return `["${name}", "${type}", [${shape.join(", ")}]]`;
}

// The bytes of the model file. `codes` are the code points of the symbols; `scale` is that of the first weights. After
// Adagrad, the file also has the training state, so that partial_fit continues.
function modelFile(model, codes, scale) {
  const { V, H, T, options } = model;
  const encode = (text) => new TextEncoder().encode(text);
  const tensors = [];
  const add = (name, shape, numbers) => tensors.push({ name, type: "float64", shape, bytes: bytesOfFloats(numbers) });
  const addWeights = (prefix, arrays) => {
    add(`${prefix}rnn.weight_ih_l0`, [H, V], transposed(arrays.Wxh, V, H));
    add(`${prefix}rnn.weight_hh_l0`, [H, H], arrays.Whh);
    add(`${prefix}rnn.bias_ih_l0`, [H], arrays.bh);
    add(`${prefix}decoder.weight`, [V, H], arrays.Why);
    add(`${prefix}decoder.bias`, [V], arrays.by);
  };
  addWeights("", model.weights);
  add("rnn.bias_hh_l0", [H], new Float64Array(H)); // PyTorch has two biases
  if (options.optimizer === "adagrad") {
    addWeights("optimizer.sum.", model.sums);
    add("state.h", [1, 1, H], model.states[0]);
    const training = {
      n_steps: model.steps, smooth_loss: model.smoothLoss, loss_length: T, random_state: null, history: [], optimizer: "adagrad",
      optimizer_start: 0,
    };
    const bytes = encode(JSON.stringify(training));
    tensors.push({ name: "training", type: "uint8", shape: [bytes.length], bytes });
  }
  const configuration = { hidden_size: H, seq_length: T, learning_rate: options.rate, init_scale: scale, dtype: "float64" };
  configuration.clip = Number.isFinite(options.clip) ? options.clip : null;
  const architecture = { cell: "rnn", num_layers: 1, hidden_size: H, vocab_size: V, dtype: "float64" };
  const metadata = {
    architecture: JSON.stringify(architecture),
    configuration: JSON.stringify(configuration),
    format: "crnn",
    format_version: "2",
    kind: "network",
    vocabulary: JSON.stringify({ kind: "characters", codes }),
  };
  const entries = Object.keys(metadata).sort().map((key) => `[${JSON.stringify(key)}, ${JSON.stringify(metadata[key])}]`);
  const hashed = [encode(`[${entries.join(", ")}]`)];
  const byName = [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));
  for (const tensor of byName) hashed.push(encode(describeTensor(tensor)), tensor.bytes);
  metadata.checksum = sha256(joinBytes(hashed));
  const header = { __metadata__: { crnn: JSON.stringify(metadata) } };
  let end = 0;
  for (const { name, type, shape, bytes } of tensors) {
    header[name] = { dtype: type === "uint8" ? "U8" : "F64", shape, data_offsets: [end, (end += bytes.length)] };
  }
  const text = JSON.stringify(header);
  const described = encode(text + " ".repeat(-text.length & 7));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(described.length), true);
  return joinBytes([length, described, ...tensors.map((tensor) => tensor.bytes)]);
}
