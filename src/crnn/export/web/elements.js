// Small helpers for the page's elements.

function byId(id) {
  return document.getElementById(id);
}

// A new element with a class and a text.
function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function percent(p) {
  if (p >= 0.0995) return `${Math.round(100 * p)}\u202f%`;
  return p >= 0.001 ? `${(100 * p).toFixed(1)}\u202f%` : "<\u202f0.1\u202f%";
}

// Symbols and their probabilities as bars. `guesses` is id, probability, id, probability, ...; `right` is marked.
function guessList(symbols, guesses, right = -1) {
  const list = element("ol", "guesses");
  for (let i = 0; i < guesses.length; i += 2) {
    const item = element("li", guesses[i] === right ? "right" : "");
    const bar = element("span", "bar");
    bar.style.width = `${100 * guesses[i + 1]}%`;
    item.append(element("bdi", "symbol", symbols.name(guesses[i])), bar, element("span", "share", percent(guesses[i + 1])));
    list.append(item);
  }
  return list;
}

// Tabs: a list of buttons, each with the id of its panel in aria-controls. Arrow keys move between them.
function connectTabs(tabs, shown = () => {}) {
  const show = (chosen) => {
    for (const tab of tabs) {
      const selected = tab === chosen;
      tab.setAttribute("aria-selected", String(selected));
      tab.tabIndex = selected ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = !selected;
    }
    shown(chosen.getAttribute("aria-controls"));
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      next.focus();
      show(next);
    });
  });
  show(tabs[0]);
}
