// The live page: the model starts writing when the page opens, and reads typed text immediately.

// Where the model starts for each opening, in words.
const STARTS = { "\n": "a new line", " ": "a new word", "": "a text" };

class Live {
  constructor(data, send) {
    this.shown = modelWithUnits(data.model);
    this.symbols = new Symbols(data.vocabulary);
    this.send = send;
    this.ids = [];
    this.bits = [];
    this.guesses = []; // five ids and probabilities for each position
    this.values = null; // activations of the unit that colors the text
    this.unit = -1;
    this.next = [];
    this.opening = data.opening; // the implied text before an empty box
    this.expression = data.python; // the equivalent model in Python
    this.completes = false; // whether the last text continues with the most probable characters
    this.turn = 0; // number of the current writing request; answers to earlier ones are ignored
    this.writing = false;
    this.text = new TextView(byId("live-text"), this.symbols, (at) => this.explain(at));
    byId("live-hidden").hidden = !this.shown;
    this.units = this.shown && new UnitsView(byId("live-units"), this.shown, (unit) => this.colorBy(unit));
    this.connect();
    surprisalKey(byId("live-key"));
    const start = this.symbols.boundary === null ? STARTS[this.opening] : "a new document";
    byId("beginning").placeholder = `Type here, or let the model start ${start}.`;
    this.read();
  }

  // Write unprompted when the page is first visible.
  open() {
    if (!this.turn) this.write();
  }

  connect() {
    const topK = byId("top-k");
    topK.max = String(this.symbols.size);
    const unit = byId("live-unit");
    unit.append(new Option("surprisal", "-1"));
    const { layers, hidden } = this.shown || { layers: 0, hidden: 0 };
    for (let i = 0; i < layers * hidden; i++) unit.append(new Option(this.unitName(i), String(i)));
    unit.addEventListener("change", () => this.colorBy(Number(unit.value)));
    byId("beginning").addEventListener("input", () => this.read());
    for (const id of ["temperature", "top-k", "top-p", "seed", "sample", "length"]) {
      byId(id).addEventListener("input", () => {
        this.completes = false;
        this.showControls();
      });
    }
    byId("write").addEventListener("click", () => {
      this.completes = false;
      this.write();
    });
    byId("complete").addEventListener("click", () => {
      this.completes = true;
      this.write();
    });
    byId("another").addEventListener("click", () => {
      this.completes = false;
      byId("sample").value = String(this.settings().sample + 1);
      this.showControls();
      this.write();
    });
    byId("stop").addEventListener("click", () => this.send({ type: "stop", text: "live" }));
    this.showControls();
  }

  unitName(unit) {
    const { hidden, layers } = this.shown;
    return layers > 1 ? `layer ${Math.floor(unit / hidden)}, unit ${unit % hidden}` : `unit ${unit}`;
  }

  controls() {
    const number = (id) => Number(byId(id).value);
    if (this.completes) return { temperature: 0, topK: 0, topP: 1 };
    return { temperature: number("temperature"), topK: number("top-k"), topP: number("top-p") };
  }

  // The current settings, with unusable numbers replaced.
  settings() {
    const seed = byId("seed").value.trim();
    const whole = (id, least, most) => Math.min(most, Math.max(least, Math.floor(Number(byId(id).value)) || least));
    return {
      seed: /^[0-9]{1,60}$/.test(seed) ? seed : "0",
      sample: whole("sample", 0, 1e9),
      n: whole("length", 1, 4000),
      rate: Number(byId("rate").value),
      controls: this.controls(),
    };
  }

  showControls() {
    const topK = Number(byId("top-k").value);
    const topP = Number(byId("top-p").value);
    byId("temperature-value").textContent = Number(byId("temperature").value).toFixed(2);
    byId("top-k-value").textContent = topK ? String(topK) : "off";
    byId("top-p-value").textContent = topP < 1 ? topP.toFixed(2) : "off";
    byId("python").textContent = this.python();
  }

  // The Python call that generates the same text.
  python() {
    const { seed, sample, n, controls } = this.settings();
    const beginning = this.symbols.codesOf(this.typed());
    const prime = beginning.length && `prime=${pythonLiteral(beginning, this.symbols.kind === "bytes")}`;
    const options = [
      this.symbols.boundary === null ? String(n) : `max_length=${n}`,
      prime,
      controls.temperature !== 1 && `temperature=${controls.temperature}`,
      controls.topK && `top_k=${controls.topK}`,
      controls.topP < 1 && `top_p=${controls.topP}`,
      sample && `n_samples=${sample + 1}`,
      `random_state=${seed}`,
    ];
    return `${this.expression}.sample(${options.filter(Boolean).join(", ")})${sample ? `[${sample}]` : ""}`;
  }

  typed() {
    return byId("beginning").value || this.opening;
  }

  // Stop writing, and read the typed text.
  read() {
    const { ids, strangers } = this.symbols.encode(this.typed());
    this.writing = false;
    this.completes = false;
    byId("stop").disabled = true;
    byId("strangers").textContent = strangers.length
      ? `Ignored, since the model does not know them: ${strangers.join(" ")}`
      : "";
    this.beginning = ids;
    this.showControls();
    this.send({ type: "read", text: "live", ids });
  }

  write() {
    this.writing = true;
    this.turn++;
    byId("python").textContent = this.python();
    byId("progress").textContent = "Writing \u2026";
    byId("stop").disabled = false;
    this.send({ type: "write", text: "live", turn: this.turn, ids: this.beginning, ...this.settings() });
  }

  receive(answer) {
    if (answer.text !== "live") return;
    if (answer.type === "read" || answer.type === "written") this.add(answer);
    if (answer.type === "unit" && answer.unit === this.unit) this.paint(answer.values);
    if (answer.type === "done" && this.writing && answer.turn === this.turn) {
      this.writing = false;
      byId("stop").disabled = true;
      const speed = answer.seconds > 0 ? Math.round(answer.written / answer.seconds) : 0;
      const why = answer.ended ? "The document has ended. " : answer.stopped ? "Stopped. " : "";
      byId("progress").textContent = `${why}${answer.written} characters, ${speed.toLocaleString("en")} per second`;
      byId("progress").dataset.speed = String(speed);
      if (this.unit >= 0) this.send({ type: "unit", text: "live", unit: this.unit });
    }
  }

  cut(first) {
    this.ids.length = this.bits.length = first;
    this.guesses.length = 10 * first;
  }

  add({ type, first, ids, bits, guesses, next, units, finished }) {
    this.cut(first);
    this.ids.push(...ids);
    this.bits.push(...bits);
    this.guesses.push(...guesses);
    this.text.write(first, ids.map((id) => this.symbols.code(id)), (i) => this.classOf(i));
    this.next = next;
    if (this.units) this.units.show(units);
    this.showNext();
    if (type === "written") byId("live-text").scrollTop = byId("live-text").scrollHeight;
    if (finished && this.unit >= 0) this.send({ type: "unit", text: "live", unit: this.unit });
    if (type === "read" && !this.writing) this.showMean();
  }

  showMean() {
    const mean = this.bits.reduce((sum, b) => sum + b, 0) / this.bits.length;
    byId("progress").textContent = this.bits.length
      ? `${this.bits.length} character${this.bits.length === 1 ? "" : "s"} read, ${mean.toFixed(2)} bits per character`
      : "";
  }

  classOf(i) {
    const origin = i >= this.beginning.length ? "" : " given";
    if (this.unit < 0) return surprisalClass(this.bits[i]) + origin;
    const known = this.values && i < this.values.length;
    return (known ? unitClass(this.values[i]) : "") + origin;
  }

  showNext() {
    byId("guesses-title").textContent = "Next character";
    byId("live-guesses").replaceChildren(guessList(this.symbols, this.next));
    byId("live-chosen").textContent = "";
  }

  // Show the model's predictions at a character's position.
  explain(at) {
    const name = this.symbols.name(this.ids[at]);
    byId("guesses-title").textContent = "Predicted here";
    byId("live-guesses").replaceChildren(guessList(this.symbols, this.guesses.slice(10 * at, 10 * at + 10), this.ids[at]));
    byId("live-chosen").textContent = `\u2068${name}\u2069 at ${at + 1}: ${this.bits[at].toFixed(2)} bits`;
  }

  colorBy(unit) {
    this.unit = this.units.chosen = unit;
    this.values = null;
    byId("live-unit").value = String(unit);
    if (unit < 0) {
      surprisalKey(byId("live-key"));
      this.text.recolor((i) => this.classOf(i));
    } else {
      unitKey(byId("live-key"));
      this.send({ type: "unit", text: "live", unit });
    }
    this.units.draw();
  }

  paint(values) {
    this.values = values;
    this.text.recolor((i) => this.classOf(i));
  }
}

// A text as a Python literal: its code points, or with `bytes` its bytes.
function pythonLiteral(codes, bytes) {
  const escaped = Array.from(codes, (code) => {
    const character = String.fromCodePoint(code);
    if (character === "'" || character === "\\") return `\\${character}`;
    if (character === "\n") return "\\n";
    if (bytes ? code >= 32 && code < 127 : !isInvisible(character)) return character;
    const [letter, width] = bytes ? ["x", 2] : code > 0xffff ? ["U", 8] : ["u", 4];
    return `\\${letter}${code.toString(16).padStart(width, "0")}`;
  });
  return `${bytes ? "b" : ""}'${escaped.join("")}'`;
}
