// The neuron view: a text colored by one unit's activation, and all units after one of its characters. The engine reads
// the text once, after which any unit can be shown.

class Neurons {
  constructor(data, symbols, send, drawn) {
    this.data = data;
    this.symbols = symbols;
    this.send = send;
    this.drawn = drawn;
    this.unit = data.units.length ? data.units[0].unit : 0;
    this.text = new TextView(byId("unit-text"), symbols, (at) => this.send({ type: "units", text: "neurons", at }));
    this.grid = new UnitsView(byId("unit-grid"), data.model, (unit) => this.choose(unit));
    this.fillList();
    unitKey(byId("unit-key"));
    this.text.write(0, data.neurons.codes, () => "");
    this.send({ type: "read", text: "neurons", ids: data.neurons.ids });
  }

  name(unit) {
    const { hidden, layers } = this.data.model;
    return layers > 1 ? `layer ${Math.floor(unit / hidden)}, unit ${unit % hidden}` : `unit ${unit}`;
  }

  // First the units that follow a property of the text, then all units.
  fillList() {
    const list = byId("unit");
    const group = (label, options) => {
      const made = document.createElement("optgroup");
      made.label = label;
      made.append(...options);
      if (options.length) list.append(made);
    };
    group(
      "they follow the text",
      this.data.units.map((found) => new Option(`${this.name(found.unit)}: ${found.property}`, String(found.unit)))
    );
    const { hidden, layers } = this.data.model;
    group("all", Array.from({ length: hidden * layers }, (_, unit) => new Option(this.name(unit), String(unit))));
    list.addEventListener("change", () => this.choose(Number(list.value)));
  }

  choose(unit) {
    this.unit = this.grid.chosen = unit;
    byId("unit").value = String(unit);
    const found = this.data.units.find((one) => one.unit === unit);
    byId("unit-note").textContent = found
      ? `It follows "${found.property}": correlation ${found.correlation.toFixed(2).replace("-", "\u2212")}, measured on ` +
        "the half of the text that was not used to select the unit."
      : "";
    this.send({ type: "unit", text: "neurons", unit });
    this.grid.draw();
  }

  receive(answer) {
    if (answer.text !== "neurons") return;
    if (answer.type === "read" && answer.finished) {
      this.choose(this.unit);
      this.text.choose(this.text.codes.length - 1);
    }
    if (answer.type === "unit" && answer.unit === this.unit) {
      this.text.recolor((i) => unitClass(answer.values[i]));
      this.drawn();
    }
    if (answer.type === "units") this.grid.show(answer.units);
  }
}
