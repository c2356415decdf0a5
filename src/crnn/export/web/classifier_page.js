// The page of a classifier: the probabilities of a text's labels as bars, or the label of each line.

const MAX_LABELS = 9; // shown, the most probable first; the others are summed

class ClassifierPage {
  constructor(data) {
    this.labels = data.model.labels.map(String);
    const rows = Math.min(this.labels.length, MAX_LABELS + 1);
    this.rows = Array.from({ length: rows }, () => this.addRow());
    const ask = startJudging(data, () => this.texts(), (results, finished) => this.show(results, finished));
    byId("by-line").addEventListener("change", ask);
  }

  addRow() {
    const item = element("li");
    item.append(element("bdi"), element("span", "bar"), element("span", "share"));
    byId("label-bars").append(item);
    return item;
  }

  texts() {
    this.asked = typedTexts(!byId("by-line").checked);
    return this.asked;
  }

  show(results, finished) {
    const isList = this.asked.length > 1;
    byId("label-bars").hidden = isList;
    byId("judged-lines").hidden = !isList;
    if (isList) this.showLines(results);
    else this.showBars(results[0]);
    if (finished) this.showState(isList);
  }

  showState(isList) {
    const all = byId("typed").value.split("\n").length;
    const some = isList && all > MAX_LINES ? `The first ${MAX_LINES.toLocaleString("en")} lines. ` : "";
    const empty = byId("typed").value === "" ? "Without a text, these are the shares of the labels." : "";
    byId("judge-state").textContent = some + empty;
  }

  showBars(p) {
    const order = [...p.keys()].sort((a, b) => p[b] - p[a] || a - b);
    const shares = order.slice(0, this.rows.length).map((k) => [this.labels[k], p[k]]);
    if (order.length > shares.length) {
      const others = order.slice(shares.length - 1);
      shares[shares.length - 1] = [`${others.length} others`, others.reduce((sum, k) => sum + p[k], 0)];
    }
    shares.forEach(([label, share], i) => {
      const [name, bar, number] = this.rows[i].children;
      name.textContent = shownText(label) || "(empty)";
      bar.style.width = `${100 * share}%`;
      number.textContent = percent(share);
    });
  }

  showLines(results) {
    const list = byId("judged-lines");
    list.replaceChildren(
      ...results.map((p, i) => {
        const best = p.indexOf(Math.max(...p));
        const item = element("li");
        item.append(
          element("bdi", "text-of", shownText(this.asked[i]) || "\u00a0"),
          element("bdi", "label", shownText(this.labels[best])),
          element("span", "share", percent(p[best]))
        );
        return item;
      })
    );
  }
}

new ClassifierPage(JSON.parse(byId("data").textContent));
