// The page of a detector: the verdict on each line, with its characters colored by surprisal.

const LEAST_SHOWN = 0.01; // a second expected character is shown from this probability on

class DetectorPage {
  constructor(data) {
    this.threshold = data.model.threshold;
    this.rate = data.rate;
    this.results = [];
    this.asked = [];
    surprisalKey(byId("surprisal-key"));
    byId("mask-key").hidden = !data.model.mask.length;
    byId("threshold").value = this.threshold.toFixed(2);
    byId("threshold-note").textContent =
      `A line whose score is below the threshold is an anomaly. At ${this.threshold.toFixed(2)}, that is expected of about ${this.rateText()} normal lines.`;
    const texts = () => (this.asked = typedTexts(false));
    startJudging(data, texts, (results, finished) => this.judged(results, finished));
    byId("threshold").addEventListener("input", () => this.show());
    byId("calibrated").addEventListener("click", () => {
      byId("threshold").value = this.threshold.toFixed(2);
      this.show();
    });
    for (const id of ["by-score", "anomalies"]) byId(id).addEventListener("change", () => this.show());
  }

  rateText() {
    return this.rate >= 0.1 ? `${Math.round(100 * this.rate)} of 100` : `1 of ${Math.round(1 / this.rate).toLocaleString("en")}`;
  }

  // The threshold in the field; the calibrated one exactly, unless the field was changed.
  limit() {
    const { value } = byId("threshold");
    return value === "" || value === this.threshold.toFixed(2) || !Number.isFinite(Number(value)) ? this.threshold : Number(value);
  }

  judged(results, finished) {
    this.results = results;
    if (finished) this.show();
  }

  show() {
    const limit = this.limit();
    byId("calibrated").disabled = limit === this.threshold;
    const isEmpty = this.asked.length === 1 && this.asked[0] === "";
    const isAnomaly = (i) => !(this.results[i].score >= limit);
    let order = isEmpty ? [] : [...this.results.keys()];
    const found = order.filter(isAnomaly);
    if (byId("anomalies").checked) order = found;
    if (byId("by-score").checked) order = [...order].sort((a, b) => this.results[a].score - this.results[b].score || a - b);
    byId("judged-lines").replaceChildren(...order.map((i) => this.line(i, isAnomaly(i))));
    byId("judge-state").textContent = isEmpty ? "" : this.summary(found.length);
  }

  summary(found) {
    const n = this.results.length;
    const all = byId("typed").value.split("\n").length;
    const first = all > MAX_LINES ? `first ${MAX_LINES.toLocaleString("en")} lines` : n === 1 ? "line" : "lines";
    return `${found.toLocaleString("en")} of ${n.toLocaleString("en")} ${first} ${found === 1 ? "is an anomaly" : "are anomalies"}.`;
  }

  line(i, isAnomaly) {
    const { score, bits, hasEnd, least, expected } = this.results[i];
    const item = element("li", isAnomaly ? "anomaly" : "");
    const shown = element("bdi", "text-of");
    const characters = Array.from(this.asked[i], (character) => glyph(character.codePointAt(0)).trim() || character);
    if (hasEnd && (least === characters.length || !characters.length)) characters.push(END);
    characters.forEach((character, k) => {
      const color = bits[k] === null ? "masked" : surprisalClass(bits[k]);
      shown.append(element("span", isAnomaly && k === least ? `${color} chosen` : color, character));
    });
    const words = isAnomaly ? this.explanation(expected) : "";
    item.append(
      element("span", "verdict", isAnomaly ? "anomaly" : "normal"),
      shown,
      element("span", "share", Number.isFinite(score) ? score.toFixed(1) : "\u2212\u221e")
    );
    if (words) item.append(element("bdi", "note", words));
    return item;
  }

  // What the model expected at the marked character: the most probable one, and another if it had a chance.
  explanation(expected) {
    const likely = expected.filter(({ probability }, rank) => rank === 0 || probability >= LEAST_SHOWN);
    const shown = likely.map(({ text, probability }) => {
      const name = text === "" ? "the end" : text === " " ? "a space" : `\u201c${shownText(text)}\u201d`;
      return `${name} (${percent(probability)})`;
    });
    return shown.length ? `Expected at the mark: ${shown.join(" or ")}` : "";
  }
}

new DetectorPage(JSON.parse(byId("data").textContent));
