// The page: it connects the controls, the engine and the plots.

const SIDE = 22; // pixels of a unit's square
const MAX_SHOWN = 30_000; // characters of a text in its field: a field with a line of a million is too slow
const FILE_NAME = "min-char-rnn.crnn";

const MIN_SLOW_CHANGE = 0.1;

// The covariance of a unit's neighboring states over a sample: high for a unit that changes, and not at each character.
function slowChange(states, hidden, unit) {
  const count = states.length / hidden;
  let mean = 0;
  for (let i = 0; i < count; i++) mean += states[i * hidden + unit] / count;
  let sum = 0;
  for (let i = 1; i < count; i++) sum += (states[i * hidden + unit] - mean) * (states[(i - 1) * hidden + unit] - mean);
  return sum / (count - 1);
}

// What the page's address says after "#"; a broken address says nothing.
function linkFragment() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

class Page {
  constructor({ texts }) {
    this.texts = texts;
    this.turn = 0;
    this.running = true;
    this.ownText = "";
    this.shown = ""; // what the page has written into the field of a text of one's own
    this.run = null; // what the plot shows
    this.sample = null;
    this.sampleIsHeld = false;
    this.unit = 0; // that colors the sample; -1: its surprisal does
    this.unitIsChosen = false; // by the user
    this.experiment = "gist";
    this.controls = new Controls((name) => this.change(name));
    this.loss = new LossChart(byId("loss-chart"));
    this.reach = new ReachChart(byId("reach-chart"));
    this.units = new UnitsView(byId("units"), { layers: 1, hidden: 0 }, (unit) => this.chooseUnit(unit));
    this.connect();
    this.send = startEngine((answer) => this.receive(answer));
    this.followLink();
  }

  connect() {
    byId("run").addEventListener("click", () => this.setRunning(!this.running));
    byId("one-step").addEventListener("click", () => {
      this.setRunning(false);
      this.send({ type: "step" });
    });
    byId("restart").addEventListener("click", () => this.restart());
    byId("save").addEventListener("click", () => this.send({ type: "save" }));
    byId("link").addEventListener("click", () => this.copyLink());
    byId("color").addEventListener("change", () => this.chooseUnit(Number(byId("color").value)));
    const own = byId("own");
    own.addEventListener("beforeinput", (event) => this.takeLongInput(event));
    own.addEventListener("change", () => {
      if (own.value !== this.shown) this.takeOwnText(own.value);
    });
    byId("file").addEventListener("change", () => this.openFile());
    for (const button of document.querySelectorAll(".chips button")) {
      button.addEventListener("click", () => this.startExperiment(button.id));
    }
    document.addEventListener("keydown", (event) => {
      if (!event.altKey || event.code !== "KeyP") return;
      event.preventDefault();
      this.setRunning(!this.running);
    });
    window.addEventListener("hashchange", () => {
      if (linkFragment() !== this.link) this.followLink();
    });
    const box = byId("sample");
    box.addEventListener("pointerleave", () => (this.sampleIsHeld = false));
    box.addEventListener("focusout", () => (this.sampleIsHeld = false));
  }

  // Start with the experiment or the settings that the page's address names.
  followLink() {
    const fragment = linkFragment();
    if (Object.hasOwn(EXPERIMENTS, fragment)) {
      this.startExperiment(fragment);
      requestAnimationFrame(() => byId("bar").scrollIntoView()); // and not to the button, which has this name
      return;
    }
    this.controls.show(settingsOfLink(fragment));
    this.showExperiment(fragment === "" ? "gist" : null);
    if (this.controls.values.text === "own" && !this.ownText) this.controls.show({ ...this.controls.values, text: "story" });
    this.restart();
  }

  startExperiment(name) {
    const { settings, own } = EXPERIMENTS[name];
    const { temperature } = this.controls.values;
    this.controls.show({ ...DEFAULTS, temperature, ...settings });
    if (own !== undefined) {
      this.ownText = own;
      this.showText(own);
    }
    this.showExperiment(name);
    this.running = true;
    this.restart();
  }

  showExperiment(name) {
    this.experiment = name;
    for (const button of document.querySelectorAll(".chips button")) {
      button.setAttribute("aria-pressed", String(button.id === name));
    }
    byId("says").textContent = name === null ? "Your own settings." : EXPERIMENTS[name].says;
  }

  // The user has changed a setting.
  change(name) {
    if (name === "temperature") {
      this.sampleIsHeld = false;
      this.sendOptions(true);
      return;
    }
    this.showExperiment(null);
    if (!LIVE.includes(name)) {
      this.restart();
      return;
    }
    const value = this.controls.values[name];
    const shown = typeof value === "boolean" ? `${name} ${value ? "on" : "off"}` : `${name} ${value === Infinity ? "off" : value}`;
    this.run.marks.push([this.run.steps, shown]);
    this.sendOptions(false);
    this.storeLink();
  }

  sendOptions(sample) {
    const { values } = this.controls;
    this.send({ type: "set", options: trainingOptions(values), temperature: values.temperature, sample });
  }

  // The chosen text, at most as long as the page can train on.
  chosenText() {
    const { text } = this.controls.values;
    const whole = text === "own" ? this.ownText : this.texts[text];
    this.tooLong = whole.length > MAX_TEXT;
    return this.tooLong ? whole.slice(0, MAX_TEXT).replace(/[\ud800-\udbff]$/, "") : whole; // and no half of a character
  }

  restart() {
    const { values } = this.controls;
    const text = prepareText(this.chosenText());
    const V = text.codes.length;
    if (text.length < 2 || V > MAX_SYMBOLS) {
      const few = "A text needs at least 2 characters: one to read, and one to guess.";
      const many = `The text has ${V.toLocaleString("en")} different characters; this page takes ${MAX_SYMBOLS.toLocaleString("en")}.`;
      this.say(text.length < 2 ? few : many, true);
      this.setBroken(true);
      this.turn++; // ignore what the engine still reports
      this.send({ type: "pause" });
      return;
    }
    this.turn++;
    const T = Math.min(values.length, text.ids.length - 1);
    const before = this.run && this.run.training.points.length > 3 ? [this.run.training, this.run.held] : null;
    const reference = before || (this.run ? this.run.reference : [new Curve(), new Curve()]);
    this.run = {
      T, symbols: V, uniform: Math.log(V), entropy: text.entropy, training: new Curve(), held: new Curve(), reference, marks: [], steps: 0,
    };
    this.symbols = new Symbols({ kind: "characters", codes: text.codes, unknown: null, boundary: null });
    this.view = this.view || new TextView(byId("sample"), this.symbols, (at) => this.choose(at));
    this.view.symbols = this.symbols;
    this.sample = null;
    this.sampleIsHeld = false;
    this.units.model = { layers: 1, hidden: values.hidden, side: SIDE };
    this.units.show(new Float32Array(values.hidden));
    this.listUnits(values.hidden);
    byId("chunk").textContent = String(T);
    byId("unit-count").textContent = String(values.hidden);
    byId("text-facts").textContent = `${text.length.toLocaleString("en")} characters, ${V} different`;
    if (values.text !== "own") this.showText(this.texts[values.text]);
    this.explainText(text, T);
    this.setBroken(false);
    byId("run").textContent = this.running ? "Pause" : "Train";
    this.storeLink();
    this.send({
      type: "start", turn: this.turn, ids: text.ids, held: text.held, codes: text.codes, hidden: values.hidden, length: values.length,
      scale: values.scale, seed: values.seed, options: trainingOptions(values), temperature: values.temperature, running: this.running,
    });
  }

  // Say what is special about a text.
  explainText(text, T) {
    if (this.tooLong) {
      this.say(`The text is longer than this page takes: it trains on the first ${MAX_TEXT.toLocaleString("en")} characters.`);
    } else if (T < this.controls.values.length) {
      const gist = "The gist's script would fail here with an IndexError, because its targets run past the end of the text";
      this.say(`The text has fewer characters than a chunk of ${this.controls.values.length} and its next one. ${gist}; this page takes chunks of ${T}.`);
    } else if (!text.held.length) {
      this.say("The text is too short to hold a tenth of it out.");
    } else {
      this.say("");
    }
  }

  listUnits(hidden) {
    const color = byId("color");
    if (color.length !== hidden + 1) {
      const options = [new Option("surprisal", "-1")];
      for (let unit = 0; unit < hidden; unit++) options.push(new Option(`unit ${unit}`, String(unit)));
      color.replaceChildren(...options);
    }
    this.colorBy(Math.min(this.unit, hidden - 1));
  }

  chooseUnit(unit) {
    this.unitIsChosen = true;
    this.colorBy(unit);
  }

  // Until the user chooses a unit, color by one that changes within the sample, and slowly.
  findUnit({ ids, states }) {
    const { hidden } = this.controls.values;
    if (this.unitIsChosen || ids.length < 2 || slowChange(states, hidden, this.unit) > MIN_SLOW_CHANGE) return;
    let best = 0;
    for (let unit = 1; unit < hidden; unit++) {
      if (slowChange(states, hidden, unit) > slowChange(states, hidden, best)) best = unit;
    }
    this.colorBy(best);
  }

  colorBy(unit) {
    this.unit = unit;
    this.units.chosen = unit;
    byId("color").value = String(unit);
    if (unit < 0) surprisalKey(byId("sample-key"));
    else unitKey(byId("sample-key"));
    if (this.sample) this.view.recolor((i) => this.classOf(i));
    this.units.draw();
  }

  classOf(i) {
    const { bits, states } = this.sample;
    return this.unit < 0 ? surprisalClass(bits[i]) : unitClass(states[i * this.controls.values.hidden + this.unit]);
  }

  // The user points at a character of the sample: keep the sample, and show the units after that character.
  choose(at) {
    this.sampleIsHeld = true;
    const { hidden } = this.controls.values;
    const { ids, bits, states } = this.sample;
    this.units.show(states.slice(at * hidden, (at + 1) * hidden));
    const value = this.unit < 0 ? "" : `, unit ${this.unit}: ${states[at * hidden + this.unit].toFixed(2).replace("-", "\u2212")}`;
    byId("chosen").textContent = `\u2068${this.symbols.name(ids[at])}\u2069: ${bits[at].toFixed(2)} bits${value}. The sample waits while you point at it.`;
  }

  setRunning(running) {
    this.running = running;
    byId("run").textContent = running ? "Pause" : "Train";
    this.send({ type: running ? "run" : "pause" });
  }

  receive(answer) {
    if (answer.turn !== this.turn) return; // of a network that is gone
    if (answer.type === "file") this.download(answer.bytes);
    if (answer.type === "report") this.show(answer);
  }

  show({ steps, smoothLoss, speed, norm, reach, held, sample }) {
    const { run } = this;
    const isBroken = Number.isNaN(smoothLoss);
    run.steps = steps;
    run.training.add(steps, smoothLoss / run.T);
    if (held !== undefined && held !== null) run.held.add(steps, held);
    byId("steps").textContent = steps.toLocaleString("en");
    byId("loss").textContent = isBroken ? "NaN" : (smoothLoss / run.T).toFixed(2);
    if (held !== undefined) byId("held").textContent = held === null ? "none" : held.toFixed(2);
    byId("norm").textContent = steps ? (Number.isNaN(norm) ? "NaN" : norm.toPrecision(3)) : "\u2013";
    byId("speed").textContent = speed ? Math.round(speed).toLocaleString("en") : "\u2013";
    this.loss.show(run);
    if (reach) this.reach.show(reach);
    if (isBroken) this.stopAtNaN();
    else if (sample && !(this.sampleIsHeld && this.sample)) this.write(sample);
    document.body.dataset.ready = "";
    document.body.dataset.steps = String(steps);
  }

  write(sample) {
    this.findUnit(sample);
    this.sample = sample;
    const { hidden } = this.controls.values;
    const { ids, states } = sample;
    this.view.chosen = -1;
    this.view.write(0, ids.map((id) => this.symbols.code(id)), (i) => this.classOf(i));
    if (ids.length) this.units.show(states.slice(-hidden));
    byId("chosen").textContent = "Point at a character, tap it, or use the arrow keys.";
  }

  // Whether the page has no network to train.
  setBroken(isBroken) {
    for (const id of ["run", "one-step", "save"]) byId(id).disabled = isBroken;
  }

  stopAtNaN() {
    this.setBroken(true);
    this.running = false;
    byId("run").textContent = "Train";
    this.say(
      "NaN: the loss is not a number any more, and neither is any weight. The gist's script would end here with \u201cValueError: " +
        "probabilities contain NaN\u201d. No further step can repair it: start over with a lower learning rate.",
      true,
    );
  }

  say(message, isWrong = false) {
    byId("message").textContent = message;
    byId("message").classList.toggle("wrong", isWrong);
  }

  takeOwnText(text) {
    this.ownText = text;
    this.controls.show({ ...this.controls.values, text: "own" });
    this.showExperiment(null);
    this.restart();
  }

  // Show the beginning of a text in the field.
  showText(text) {
    byId("own").value = text.slice(0, MAX_SHOWN);
    this.shown = byId("own").value;
  }

  takeLongText(text) {
    this.showText(text);
    this.takeOwnText(text.slice(0, MAX_TEXT + 1));
  }

  // A long text that is pasted or dropped does not go through the field, which would block the browser for minutes.
  takeLongInput(event) {
    const { value, selectionStart, selectionEnd } = byId("own");
    const isShort = !event.data || event.data.length + value.length <= MAX_SHOWN;
    if (isShort || !event.inputType.startsWith("insertFrom")) return; // and what is typed goes through it, too
    event.preventDefault();
    this.takeLongText(value.slice(0, selectionStart) + event.data + value.slice(selectionEnd));
  }

  async openFile() {
    const [file] = byId("file").files;
    if (!file) return;
    const start = await file.slice(0, 4 * MAX_TEXT).text(); // a character of UTF-8 has at most 4 bytes
    this.takeLongText(start);
    if (start.includes("\ufffd")) {
      this.say("The file is not a text in UTF-8: bytes that are not characters became \ufffd. Save it as UTF-8, and open it again.", true);
    }
  }

  // Keep the settings in the page's address.
  storeLink() {
    const isExperiment = this.experiment !== null && this.experiment !== "gist";
    this.link = isExperiment ? this.experiment : linkOfSettings(this.controls.values);
    const address = `${location.href.split("#")[0]}${this.link ? `#${this.link}` : ""}`;
    if (address === location.href) return;
    try {
      history.replaceState(null, "", address);
    } catch {
      // some browsers do not allow it for files; the button still copies the link
    }
  }

  async copyLink() {
    const address = `${location.href.split("#")[0]}#${this.link}`;
    const own = this.controls.values.text === "own" ? " Your text is not in it." : "";
    try {
      await navigator.clipboard.writeText(address);
      byId("link-note").textContent = `Copied.${own}`;
    } catch {
      byId("link-note").textContent = `${address}${own}`;
    }
  }

  download(bytes) {
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
    const link = element("a");
    link.href = url;
    link.download = FILE_NAME;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }
}

new Page(JSON.parse(byId("data").textContent));
