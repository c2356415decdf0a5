// The engine scores and generates texts on request. It runs in a worker, so that the page never stalls. If the browser
// forbids workers, it runs in the page itself, in short time slices.

const GUESSES = 5; // most likely symbols reported for each position
const SLICE = 30; // milliseconds of work between checks for messages
const SNAPSHOT_EVERY = 32; // symbols between saved states
const MAX_UNITS = 1 << 22; // maximum number of stored activations per text, 16 MB

// The model whose units are shown: a network, or the first network of a mixture; null if there is none.
function modelWithUnits(model) {
  return model.kind === "mixture" ? model.members.find((member) => member.kind === "network") || null : model.kind === "network" ? model : null;
}

// A text read by the model, with the model's predictions.
class ReadText {
  constructor(network) {
    this.network = network;
    this.shown = modelWithUnits(network.model);
    this.state = network.start();
    this.ids = [];
    this.units = []; // the activations after each symbol, layer by layer
    this.snapshots = [network.copy(this.state)];
  }

  // Report the bits of a symbol and the most likely symbols at its position, then read the symbol.
  add(id, report) {
    const p = probabilities(this.network.predict(this.state));
    report.bits.push(-Math.log2(p[id]));
    for (const guess of likeliest(p)) report.guesses.push(guess, p[guess]);
    this.network.read(this.state, id);
    this.ids.push(id);
    if (this.shown && this.ids.length * this.shown.layers * this.shown.hidden <= MAX_UNITS) this.units.push(this.activations());
    if (this.ids.length % SNAPSHOT_EVERY === 0) this.snapshots.push(this.network.copy(this.state));
  }

  activations() {
    if (!this.shown) return new Float32Array(0);
    const { layers, hidden } = this.shown;
    const { model } = this.network;
    const state = model === this.shown ? this.state : this.state.parts[model.members.indexOf(this.shown)];
    const out = new Float32Array(layers * hidden);
    state.h.forEach((h, layer) => out.set(h, layer * hidden));
    return out;
  }

  // Keep the longest common prefix with `ids`, and return its length.
  rewind(ids) {
    let same = 0;
    while (same < Math.min(ids.length, this.ids.length) && ids[same] === this.ids[same]) same++;
    if (same === this.ids.length) return same;
    const snapshot = Math.floor(same / SNAPSHOT_EVERY);
    this.state = this.network.copy(this.snapshots[snapshot]);
    for (const id of this.ids.slice(snapshot * SNAPSHOT_EVERY, same)) this.network.read(this.state, id);
    this.snapshots.length = snapshot + 1;
    this.ids.length = same;
    this.units.length = Math.min(this.units.length, same);
    return same;
  }
}

// The most likely symbols in decreasing order, without sorting all symbols.
function likeliest(p) {
  const best = [];
  for (let i = 0; i < p.length; i++) {
    if (best.length === GUESSES && p[i] <= p[best[GUESSES - 1]]) continue;
    let at = best.length;
    while (at > 0 && p[best[at - 1]] < p[i]) at--;
    best.splice(at, 0, i);
    best.length = Math.min(best.length, GUESSES);
  }
  return best;
}

function pause(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Requests and answers are objects with a `type`. A request's `text` names its text; a new request to read or write
// cancels the previous one on the same text.
class Engine {
  constructor(post) {
    this.post = post;
    this.texts = new Map();
    this.newest = new Map();
  }

  async handle(request) {
    const { type, text } = request;
    if (type === "load") this.load(request);
    else if (type === "unit") this.unit(request);
    else if (type === "units") this.units(request);
    else {
      const turn = {};
      this.newest.set(text, turn);
      const current = () => this.newest.get(text) === turn;
      if (type === "read") await this.read(request, current);
      if (type === "write") await this.write(request, current);
      if (type === "draw") await this.draw(request, current);
    }
  }

  // `filter` is the list of texts that a draw can exclude, or null; `codes` are the symbols' code points.
  load({ model, weights, filter = null, codes = [] }) {
    this.network = createModel(model, new StoredNumbers(weights));
    this.filter = filter && new TextFilter(filter);
    this.codes = codes;
    this.post({ type: "ready" });
  }

  // Read a text; a prefix shared with the previous text is not read again.
  async read({ text, ids }, current) {
    const known = this.texts.get(text) || new ReadText(this.network);
    this.texts.set(text, known);
    let at = known.rewind(ids);
    do {
      const first = at;
      const report = { bits: [], guesses: [] };
      const end = performance.now() + SLICE;
      while (at < ids.length && performance.now() < end) known.add(ids[at++], report);
      const finished = at === ids.length;
      this.post({ type: "read", text, first, ids: ids.slice(first, at), finished, ...report, ...this.now(known) });
      if (!finished) await pause(0);
    } while (at < ids.length && current());
  }

  // Read `ids`, then continue the text at `rate` symbols per second, or as fast as possible if `rate` is 0.
  async write({ text, turn, ids: beginning, n, seed, sample, rate, controls }, current) {
    await this.read({ text, ids: beginning }, current);
    const known = this.texts.get(text);
    const { boundary, unknown } = this.network.model;
    const random = new Uniforms(seed, sample);
    const start = performance.now();
    let written = 0;
    let ended = false;
    while (written < n && !ended && current()) {
      const report = { bits: [], guesses: [] };
      const first = known.ids.length;
      const end = performance.now() + (rate ? 0 : SLICE);
      do {
        const id = pick(weigh(this.network.predict(known.state), controls, unknown), random.next());
        ended = id === boundary;
        known.add(id, report);
        written++;
      } while (written < n && !ended && performance.now() < end);
      const seconds = (performance.now() - start) / 1000;
      const ids = known.ids.slice(first);
      this.post({ type: "written", text, first, ids, written, seconds, ...report, ...this.now(known) });
      await pause(rate ? Math.max(0, start + (1000 * written) / rate - performance.now()) : 0);
    }
    const seconds = (performance.now() - start) / 1000;
    this.post({ type: "done", text, turn, written, ended, stopped: !current(), seconds });
  }

  // Draw documents that begin with `ids`, from sample `first` on, until `n` were found that were not drawn since sample
  // 0 and are not excluded, or `last` samples were drawn. A document has at most `length` symbols.
  async draw({ text, turn, ids: beginning, first, last, n, length, seed, controls, excludes }, current) {
    const { boundary, unknown } = this.network.model;
    if (first === 0) this.taken = new Set();
    const taken = this.taken;
    const begun = this.network.start();
    for (const id of beginning) this.network.read(begun, id);
    let sample = first;
    let found = 0;
    while (found < n && sample < last && current()) {
      const documents = [];
      const end = performance.now() + SLICE;
      do {
        const random = new Uniforms(seed, sample++);
        const state = this.network.copy(begun);
        const ids = [...beginning];
        while (ids.length < length) {
          const id = pick(weigh(this.network.predict(state), controls, unknown), random.next());
          if (id === boundary) break;
          ids.push(id);
          this.network.read(state, id);
        }
        const key = ids.join();
        if (taken.has(key) || (excludes && this.filter.has(ids.map((id) => this.codes[id])))) continue;
        taken.add(key);
        documents.push(ids);
        found++;
      } while (found < n && sample < last && performance.now() < end);
      this.post({ type: "drawn", text, turn, documents, sample });
      await pause(0);
    }
    if (current()) this.post({ type: "done", text, turn, found, sample });
  }

  // The next symbol's predictions, and the units' activations.
  now(known) {
    const p = probabilities(this.network.predict(known.state));
    const next = likeliest(p).flatMap((id) => [id, p[id]]);
    return { next, units: known.activations() };
  }

  // One unit's activations over a text.
  unit({ text, unit }) {
    const values = Float32Array.from(this.texts.get(text).units, (units) => units[unit]);
    this.post({ type: "unit", text, unit, values });
  }

  // All units' activations after one symbol of a text.
  units({ text, at }) {
    const units = this.texts.get(text).units[at];
    if (units) this.post({ type: "units", text, at, units });
  }
}

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  const engine = new Engine((answer) => self.postMessage(answer));
  self.onmessage = (event) => engine.handle(event.data);
}
