// The confusion matrix. Choosing a cell with the mouse or the keyboard lists its texts.

function showClasses({ note, names, counts, cells, mistakes }) {
  byId("classes-note").textContent = `${note} Rows are true classes and columns are predicted classes. Darker cells hold a larger share of their row.`;
  const table = byId("confusion");
  const head = element("tr");
  head.append(element("td"), ...names.map((name) => classHeading(name, "col")));
  const last = element("th", "number", "found");
  last.scope = "col";
  head.append(last);
  table.append(head);
  names.forEach((name, i) => {
    const total = counts[i].reduce((sum, n) => sum + n, 0);
    const row = element("tr");
    row.append(classHeading(name, "row"));
    counts[i].forEach((n, j) => {
      const cell = element("td", n ? `b${Math.round((MAX_BITS * n) / total)}` : "");
      if (n) cell.append(cellButton(n, name, names[j], () => showPair(n, name, names[j], cells[`${i},${j}`])));
      row.append(cell);
    });
    row.append(element("td", "number", total ? percent(counts[i][i] / total) : "\u2013"));
    table.append(row);
  });
  const correct = element("tr");
  const label = element("th", "", "right");
  label.scope = "row";
  const columns = names.map((_, j) => {
    const total = counts.reduce((sum, row) => sum + row[j], 0);
    return element("td", "number", total ? percent(counts[j][j] / total) : "\u2013");
  });
  correct.append(label, ...columns, element("td"));
  table.append(correct);
  const rows = mistakes.map(({ text, p, true: own, predicted }) => [text, own, predicted, percent(p)]);
  if (rows.length) fillTable(byId("mistakes"), ["text", "class", "predicted", "probability"], rows);
  else byId("mistakes-title").remove();
}

// A class name in the first row or column; long names end in an ellipsis.
function classHeading(name, scope) {
  const heading = element("th", scope === "col" ? "upright" : "");
  heading.scope = scope;
  heading.append(element("bdi", "", name || "(empty)"));
  return heading;
}

function cellButton(n, own, predicted, chosen) {
  const button = element("button", "", n.toLocaleString("en"));
  button.type = "button";
  button.setAttribute("aria-label", `${n}: \u2068${own}\u2069 predicted as \u2068${predicted}\u2069`);
  button.addEventListener("click", chosen);
  return button;
}

function showPair(n, own, predicted, examples) {
  const count = `${n.toLocaleString("en")} ${n === 1 ? "text" : "texts"} of \u2068${own}\u2069`;
  byId("pair-title").textContent = own === predicted ? `${count} predicted correctly` : `${count} predicted as \u2068${predicted}\u2069`;
  byId("pair").replaceChildren();
  fillTable(byId("pair"), ["text", "probability"], examples.map(({ text, p }) => [text, percent(p)]));
}

// A table of texts whose last column is a number.
function fillTable(table, titles, rows) {
  const head = element("tr");
  titles.forEach((title, i) => head.append(element("th", i === titles.length - 1 ? "number" : "", title)));
  table.append(head);
  for (const values of rows) {
    const row = element("tr");
    values.forEach((value, i) => {
      const cell = element("td", i === values.length - 1 ? "number" : "");
      cell.append(element("bdi", "", value || "(empty)"));
      row.append(cell);
    });
    table.append(row);
  }
}
