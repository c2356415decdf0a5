// The names page: twenty new documents, more of them, and those with a given beginning.

const SHOWN = 20; // documents
const TRIES = 100; // samples drawn for each wanted document, as in Python
const LONGEST = 1000; // symbols of a document, as in Python

class Names {
  constructor(data, send) {
    this.symbols = new Symbols(data.vocabulary);
    this.filter = data.filter;
    this.expression = data.python;
    this.send = send;
    this.turn = 0; // number of the current request; answers to earlier ones are ignored
    this.sample = 0; // number of the next sample
    this.pages = 0; // how many lists were asked for since sample 0
    this.texts = []; // of the current list
    this.kept = new Set(); // the texts that the user chose
    this.buttons = Array.from({ length: SHOWN }, () => this.addButton());
    byId("name-list").style.setProperty("--name-width", `${data.width}ch`);
    if (this.filter) this.showFilter();
    this.connect();
    this.restart();
  }

  addButton() {
    const button = element("button");
    button.type = "button";
    button.disabled = true;
    button.append(element("bdi", "", "\u00a0"));
    button.addEventListener("click", () => this.keep(button));
    const item = element("li");
    item.append(button);
    byId("name-list").append(item);
    return button;
  }

  showFilter() {
    const { texts, rate } = this.filter;
    byId("excludes-label").hidden = byId("excludes-note").hidden = false;
    byId("excludes-note").textContent =
      `The list has ${texts.toLocaleString("en")} texts. The page recognizes them by hashes, which also exclude ${Number((100 * rate).toPrecision(1))}\u202f% of other texts.`;
  }

  connect() {
    byId("starts").addEventListener("input", () => this.restart());
    byId("starts").addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.more();
    });
    byId("more").addEventListener("click", () => this.more());
    byId("excludes").addEventListener("change", () => this.restart());
    byId("variety").addEventListener("input", () => {
      byId("variety").setAttribute("aria-valuetext", `temperature ${byId("variety").value}`);
      this.restart();
    });
    byId("copy").addEventListener("click", () => this.copy());
  }

  controls() {
    return { temperature: Number(byId("variety").value), topK: 0, topP: 0.9 };
  }

  excludes() {
    return Boolean(this.filter) && byId("excludes").checked;
  }

  // Draw the first list with the current settings.
  restart() {
    this.sample = 0;
    this.pages = 0;
    this.more();
  }

  // Draw another list.
  more() {
    const { ids, strangers } = this.symbols.encode(byId("starts").value);
    this.pages++;
    this.turn++;
    this.texts = [];
    this.strangers = strangers;
    this.begun = ids.length;
    byId("names-python").textContent = this.python();
    this.send({
      type: "draw",
      text: "names",
      turn: this.turn,
      ids,
      first: this.sample,
      last: TRIES * SHOWN * this.pages,
      n: SHOWN,
      length: LONGEST,
      seed: "0",
      controls: this.controls(),
      excludes: this.excludes(),
    });
  }

  // The Python call that generates the same list.
  python() {
    const { temperature, topP } = this.controls();
    const beginning = this.symbols.codesOf(byId("starts").value);
    const options = [
      `n_samples=${SHOWN * this.pages}`,
      beginning.length && `prime=${pythonLiteral(beginning, this.symbols.kind === "bytes")}`,
      "unique=True",
      this.excludes() && "exclude=texts",
      temperature !== 1 && `temperature=${temperature}`,
      `top_p=${topP}`,
      "random_state=0",
    ];
    const part = this.pages > 1 ? `[${SHOWN * (this.pages - 1)}:]` : "";
    return `${this.expression}.sample(${options.filter(Boolean).join(", ")})${part}`;
  }

  receive(answer) {
    if (answer.text !== "names" || answer.turn !== this.turn) return;
    this.sample = answer.sample;
    if (answer.type === "drawn") for (const ids of answer.documents) this.add(ids);
    if (answer.type === "done") this.end();
  }

  add(ids) {
    const codes = ids.map((id) => this.symbols.code(id));
    this.fill(this.texts.length, this.symbols.decode(ids), this.symbols.glyphs(codes).join("").replaceAll("\u21b5\n", "\u21b5"));
  }

  // Show a text; an empty document has a name of its own.
  fill(place, text, shown) {
    const button = this.buttons[place];
    this.texts[place] = text;
    button.firstChild.textContent = shown || "(empty)";
    button.disabled = false;
    button.setAttribute("aria-pressed", String(this.kept.has(text)));
  }

  end() {
    for (let i = this.texts.length; i < SHOWN; i++) {
      this.buttons[i].firstChild.textContent = "\u00a0";
      this.buttons[i].disabled = true;
      this.buttons[i].removeAttribute("aria-pressed");
    }
    this.showState();
    document.body.dataset.ready = "";
    byId("name-list").dataset.turn = String(this.turn);
  }

  showState() {
    const unknown = this.strangers.length ? `Ignored, since the model does not know them: ${this.strangers.join(" ")}. ` : "";
    const few =
      this.texts.length < SHOWN
        ? `Only ${this.texts.length} more were found among ${this.sample.toLocaleString("en")} drawn. Try another beginning, or more unusual ones.`
        : "";
    const kept = this.kept.size ? `${this.kept.size} chosen.` : "Press a text below to choose it.";
    byId("names-state").textContent = unknown + (few || kept);
    byId("copy").textContent = this.kept.size ? `Copy ${this.kept.size} chosen` : "Copy all";
  }

  keep(button) {
    const text = this.texts[this.buttons.indexOf(button)];
    if (!this.kept.delete(text)) this.kept.add(text);
    button.setAttribute("aria-pressed", String(this.kept.has(text)));
    this.showState();
  }

  // Copy the chosen texts, or else the list, one a line.
  async copy() {
    const texts = this.kept.size ? [...this.kept] : this.texts;
    try {
      await navigator.clipboard.writeText(`${texts.join("\n")}\n`);
      byId("names-state").textContent = `Copied ${texts.length}.`;
    } catch {
      byId("names-state").textContent = "The browser does not let this page copy. Select the texts instead.";
    }
  }
}
