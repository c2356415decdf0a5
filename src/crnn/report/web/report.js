// The report: this script displays Python's measurements, and the last tab runs the live page.

// The model's names and values.
function showFacts(facts) {
  for (const [name, value] of facts) {
    const shown = element("dd");
    shown.append(element("bdi", "", value));
    byId("facts").append(element("dt", "", name), shown);
  }
}

function showSamples(samples) {
  for (const { temperature, text } of samples) {
    const box = element("article");
    box.append(element("h3", "", `Temperature ${temperature}`), element("pre", "", text));
    byId("samples").append(box);
  }
}

// The text with its surprisal and the five most likely characters at each position.
function showText({ codes, bits, guesses, note }, symbols) {
  byId("text-note").textContent = note;
  surprisalKey(byId("text-key"));
  const ids = codes.map((code) => (code === -1 ? symbols.boundary : symbols.idOf.has(code) ? symbols.idOf.get(code) : symbols.unknown));
  const each = guesses.length / codes.length;
  const view = new TextView(byId("text-view"), symbols, (at) => {
    const expected = guesses.slice(each * at, each * (at + 1)).map((value, i) => (i % 2 ? value / 1000 : value));
    byId("text-title").textContent = "What the model expected";
    byId("text-chosen").textContent = `\u2068${symbols.name(ids[at])}\u2069 came, with ${bits[at].toFixed(2)} bits`;
    byId("text-guesses").replaceChildren(guessList(symbols, expected, ids[at]));
  });
  view.write(0, codes, (i) => surprisalClass(bits[i]));
}

// Tables of documents: the text and its bits.
function showDocuments({ note, tables }) {
  byId("documents-note").textContent = note;
  for (const [id, rows] of Object.entries(tables)) {
    const head = element("tr");
    head.append(element("th", "", "document"), element("th", "number", "bits"), element("th", "number", "per character"));
    const table = byId(id);
    table.append(head);
    for (const { text, bits, mean } of rows) {
      const row = element("tr");
      const cell = element("td");
      cell.append(element("bdi", "", text || "(empty)"));
      row.append(cell, element("td", "number", bits.toFixed(1)), element("td", "number", mean.toFixed(2)));
      table.append(row);
    }
  }
}

// Remove a tab that has no content.
function removeTab(tab, panel) {
  byId(tab).remove();
  byId(panel).remove();
}

{
  const data = JSON.parse(byId("data").textContent);
  const symbols = new Symbols(data.vocabulary);
  let live = null;
  let neurons = null;
  const openIfSeen = () => {
    if (live && !byId("write-tab").hidden) live.open();
  };
  const send = startEngine((answer) => {
    if (answer.type === "ready") {
      live = new Live(data, send);
      openIfSeen();
      neurons = new Neurons(data, symbols, send, () => (document.body.dataset.ready = ""));
    } else {
      live.receive(answer);
      neurons.receive(answer);
    }
  });
  showFacts(data.facts);
  if (data.history.step.length) drawHistory(byId("curves"), data.history);
  else byId("curves-title").remove();
  showSamples(data.samples);
  showText(data.text, symbols);
  if (data.documents) showDocuments(data.documents);
  else removeTab("tab-documents", "documents");
  if (data.classes) showClasses(data.classes);
  else removeTab("tab-classes", "classes");
  connectTabs([...document.querySelectorAll("[role=tab]")], () => {
    if (neurons) neurons.grid.draw(); // its width was 0 while hidden
    openIfSeen();
  });
  send({ type: "load", model: data.model, weights: byId("weights").textContent });
}
