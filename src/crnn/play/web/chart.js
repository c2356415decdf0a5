// The plots: losses over the steps of training, and how far back the gradient reaches. Both are inline SVG, so that their
// text is as large as the page's and their colors follow the color scheme.

const LOSS_MARGIN = { left: 44, right: 44, top: 14, bottom: 26 };
const MAX_POINTS = 500; // of a curve; a longer one keeps every second point
const MAX_MARKS = 6; // changed settings that are shown

// A curve's points [step, nats per character].
class Curve {
  constructor() {
    this.points = [];
  }

  add(step, value) {
    if (!Number.isFinite(value)) return;
    const last = this.points[this.points.length - 1];
    if (last && last[0] === step) this.points.pop();
    this.points.push([step, value]);
    if (this.points.length > MAX_POINTS) this.points = this.points.filter((_, i, all) => i % 2 === 0 || i === all.length - 1);
  }

  get last() {
    return this.points[this.points.length - 1];
  }

  // The lowest point.
  get lowest() {
    return this.points.reduce((best, point) => (point[1] < best[1] ? point : best));
  }
}

class LossChart {
  constructor(box) {
    this.box = box;
    this.run = null;
    new ResizeObserver(() => this.draw()).observe(box);
  }

  // `run` has T, uniform and entropy (nats per character), training, held and reference (curves), and marks.
  show(run) {
    this.run = run;
    this.draw();
  }

  draw() {
    const { run, box } = this;
    const width = box.clientWidth;
    const height = box.clientHeight;
    if (!run || !width) return;
    const { left, right, top, bottom } = LOSS_MARGIN;
    const { training, held, reference, uniform, entropy, T } = run;
    const curves = [...reference, held, training];
    const points = curves.flatMap((curve) => curve.points);
    const steps = points.map((point) => point[0]);
    const values = points.map((point) => point[1]);
    const end = Math.max(200, ...steps);
    const high = Math.max(uniform * 1.08, Math.min(1.7 * uniform, ...[Math.max(0, ...values) * 1.03])) || 1;
    const low = Math.max(0, Math.min(entropy * 0.8, ...values.map((value) => value * 0.92)));
    const x = (step) => left + (step / end) * (width - left - right);
    const y = (value) => top + (1 - (Math.min(value, high) - low) / (high - low)) * (height - top - bottom);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": this.describe() });
    for (const value of ticks(low, high, 5)) {
      picture.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
      picture.append(svg("text", { x: width - right + 6, y: y(value) + 4 }, shortNumber(value)));
      picture.append(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, shortNumber(value * T)));
    }
    for (const step of ticks(0, end, width > 420 ? 6 : 3)) {
      picture.append(svg("text", { x: x(step), y: height - 8, "text-anchor": "middle" }, shortNumber(step)));
    }
    const lines = [
      [uniform, width > 420 ? `all ${run.symbols} characters equally likely: ln ${run.symbols} = ${uniform.toFixed(2)}` : `ln ${run.symbols} = ${uniform.toFixed(2)}`],
      [entropy, width > 420 ? `knows only how often each occurs: ${entropy.toFixed(2)}` : `frequencies: ${entropy.toFixed(2)}`],
    ];
    for (const [value, name] of lines) {
      if (value < low || value > high) continue;
      picture.append(svg("line", { class: "level", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
      picture.append(svg("text", { class: "halo", x: width - right - 4, y: y(value) - 5, "text-anchor": "end" }, name));
    }
    for (const [step, name] of run.marks.slice(-MAX_MARKS)) {
      picture.append(svg("line", { class: "mark", x1: x(step), x2: x(step), y1: top, y2: height - bottom }));
      const turn = `translate(${x(step) + 12} ${height - bottom - 6}) rotate(-90)`;
      picture.append(svg("text", { class: "halo", transform: turn }, name));
    }
    const draw = (curve, className) => {
      const path = curve.points.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
      picture.append(svg("path", { class: className, d: path }));
    };
    draw(reference[0], "before");
    draw(reference[1], "before dashed");
    draw(held, "curve2");
    draw(training, "curve1");
    if (held.points.length > 3) {
      const [step, value] = held.lowest;
      picture.append(svg("circle", { class: "lowest", cx: x(step), cy: y(value), r: 4.5 }));
    }
    box.replaceChildren(picture);
  }

  describe() {
    const { training, held } = this.run;
    const tell = (name, curve) => (curve.points.length ? `${name} ${curve.last[1].toFixed(2)}` : "");
    const parts = [tell("training", training), tell("held-out", held)].filter(Boolean);
    return `Loss in nats per character after ${training.points.length ? training.last[0] : 0} steps: ${parts.join(", ")}`;
  }
}

const REACH_MARGIN = { left: 40, right: 8, top: 8, bottom: 40 };
const SMALLEST = -9; // power of ten, relative to the gradient at distance 0

// A power of ten with a raised exponent.
function powerOfTen(exponent) {
  if (exponent === 0) return "1";
  const digits = Array.from(String(exponent), (c) => (c === "-" ? "\u207b" : "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"[c]));
  return `10${digits.join("")}`;
}

// The norm of the last loss's gradient with respect to earlier states, on a logarithmic scale.
class ReachChart {
  constructor(box) {
    this.box = box;
    this.norms = [];
    new ResizeObserver(() => this.draw()).observe(box);
  }

  show(norms) {
    this.norms = norms;
    this.draw();
  }

  draw() {
    const { box, norms } = this;
    const width = box.clientWidth;
    const height = box.clientHeight;
    if (!width || !norms.length) return;
    const { left, right, top, bottom } = REACH_MARGIN;
    const first = norms[0] || 1;
    const logs = norms.map((norm) => Math.log10(norm / first)); // -Infinity for 0
    const high = Math.max(1, Math.ceil(Math.max(0, ...logs.filter(Number.isFinite))));
    const floor = height - bottom;
    const y = (log) => top + ((high - Math.max(SMALLEST, log)) / (high - SMALLEST)) * (floor - top);
    const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": this.describe() });
    for (let exponent = 0; exponent >= SMALLEST; exponent -= 3) {
      picture.append(svg("line", { class: "axis", x1: left, x2: width - right, y1: y(exponent), y2: y(exponent) }));
      picture.append(svg("text", { x: left - 6, y: y(exponent) + 4, "text-anchor": "end" }, powerOfTen(exponent)));
    }
    const bar = (width - left - right) / norms.length;
    logs.forEach((log, distance) => {
      const barHeight = Number.isFinite(log) ? Math.max(0, floor - y(log)) : 0;
      const at = { x: width - right - (distance + 1) * bar, y: floor - barHeight };
      picture.append(svg("rect", { class: "bar", ...at, width: Math.max(0.5, bar - 1.5), height: barHeight }));
    });
    const every = [1, 2, 5, 10, 20, 50].find((step) => step * bar >= 34) || 100;
    for (let distance = 0; distance < norms.length; distance += every) {
      const at = { x: width - right - (distance + 0.5) * bar, y: floor + 16, "text-anchor": "middle" };
      picture.append(svg("text", at, distance ? `\u2212${distance}` : "0"));
    }
    const title = { x: (left + width) / 2, y: height - 4, "text-anchor": "middle" };
    picture.append(svg("text", title, "characters back from the loss"));
    box.replaceChildren(picture);
  }

  describe() {
    const ratio = this.norms[this.norms.length - 1] / this.norms[0];
    return `Norm of the gradient by distance: after ${this.norms.length - 1} characters, ${ratio.toPrecision(2)} of it is left`;
  }
}
