// Curves as inline SVG: axes with round numbers, one or two curves, and the values under the pointer.

const MARGIN = { left: 52, right: 22, top: 10, bottom: 40 };

// Draw curves in a figure at its actual width, so that its text is as large as the page's. Each curve has a name, a class
// and points [x, y]; `lowest` marks the lowest point of the last curve.
function drawCurves(figure, { title, xTitle, curves, height, lowest }) {
  const width = figure.clientWidth || 640;
  const points = curves.flatMap((curve) => curve.points);
  const range = (i) => [Math.min(...points.map((p) => p[i])), Math.max(...points.map((p) => p[i]))];
  const [xLow, xHigh] = range(0);
  let [yLow, yHigh] = range(1);
  const room = (yHigh - yLow) * 0.05 || Math.abs(yHigh) * 0.1 || 1;
  [yLow, yHigh] = [yLow - room, yHigh + room];
  const bottom = height - MARGIN.bottom;
  const x = (v) => MARGIN.left + ((v - xLow) / (xHigh - xLow || 1)) * (width - MARGIN.left - MARGIN.right);
  const y = (v) => bottom - ((v - yLow) / (yHigh - yLow)) * (bottom - MARGIN.top);

  const caption = element("figcaption", "", title);
  if (curves.length > 1) for (const curve of curves) caption.append(element("span", curve.class, curve.name));
  const ends = curves.map((curve) => `${curve.name} ends at ${shortNumber(curve.points.at(-1)[1])}`);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${ends.join(", ")}` });
  for (const v of ticks(yLow, yHigh, height > 200 ? 5 : 3)) {
    picture.append(svg("line", { class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(v), y2: y(v) }));
    picture.append(svg("text", { x: MARGIN.left - 6, y: y(v) + 4, "text-anchor": "end" }, shortNumber(v)));
  }
  for (const v of ticks(xLow, xHigh, width > 400 ? 6 : 3)) {
    picture.append(svg("text", { x: x(v), y: bottom + 17, "text-anchor": "middle" }, shortNumber(v)));
  }
  picture.append(svg("text", { x: (MARGIN.left + width) / 2, y: height - 5, "text-anchor": "middle" }, xTitle));
  for (const curve of curves) {
    const path = curve.points.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
    picture.append(svg("path", { class: curve.class, d: path }));
  }
  if (lowest) {
    const [a, b] = curves.at(-1).points.reduce((best, p) => (p[1] < best[1] ? p : best));
    picture.append(svg("circle", { class: "lowest", cx: x(a), cy: y(b), r: 4.5 }));
  }
  const cursor = svg("line", { class: "cursor", y1: MARGIN.top, y2: bottom, visibility: "hidden" });
  picture.append(cursor);
  const reading = element("p", "reading");
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const at = xLow + (((event.clientX - box.left) * width) / box.width - MARGIN.left) *
      ((xHigh - xLow) / (width - MARGIN.left - MARGIN.right));
    const near = curves.map((curve) => curve.points.reduce((best, p) => (Math.abs(p[0] - at) < Math.abs(best[0] - at) ? p : best)));
    cursor.setAttribute("x1", x(near[0][0]));
    cursor.setAttribute("x2", x(near[0][0]));
    cursor.setAttribute("visibility", "visible");
    const values = curves.map((curve, i) => `${curve.name} ${shortNumber(near[i][1])}`);
    reading.textContent = `${xTitle} ${shortNumber(near[0][0])}: ${values.join(", ")}`;
  });
  figure.replaceChildren(caption, picture, reading);
}

// All training curves. `history` has arrays step, training, validation, rate and norm, with null for missing values.
function drawHistory(box, history) {
  const curve = (name, className, values) => ({
    name,
    class: className,
    points: values.map((v, i) => [history.step[i], v]).filter((p) => p[1] !== null),
  });
  const loss = [curve("training", "curve1", history.training), curve("validation", "curve2", history.validation)];
  const constant = history.rate.every((rate) => rate === history.rate[0]);
  const pictures = [
    { title: "Loss, bits per character", curves: loss, height: 280, wide: true, lowest: loss[1].points.length > 0 },
    { title: "Gradient norm before clipping", curves: [curve("norm", "curve1", history.norm)], height: 170 },
    { title: "Learning rate", curves: constant ? [] : [curve("rate", "curve1", history.rate)], height: 170 },
  ];
  for (const picture of pictures) {
    picture.curves = picture.curves.filter((one) => one.points.length > 0);
    if (!picture.curves.length) continue;
    const figure = element("figure", picture.wide ? "wide" : "");
    box.append(figure);
    let drawn = -1;
    const draw = () => {
      if (figure.clientWidth !== drawn) drawCurves(figure, { xTitle: "step", ...picture });
      drawn = figure.clientWidth;
    };
    draw();
    new ResizeObserver(draw).observe(figure);
  }
}
