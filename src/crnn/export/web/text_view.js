// A text whose symbols are colored by surprisal or by a unit's activation. Hovering, tapping or the arrow keys choose a
// symbol; `onChoose` receives its position.

const MAX_BITS = 8; // surprisal has the classes b0 to b8
const UNIT_LEVELS = 4; // activations have the classes u-4 to u4

class TextView {
  constructor(box, symbols, onChoose) {
    this.box = box;
    this.symbols = symbols;
    this.onChoose = onChoose;
    this.codes = [];
    this.chosen = -1;
    box.tabIndex = 0;
    box.dir = "auto";
    const position = (event) => {
      const span = event.target.closest("span");
      return span && span.parentNode === box ? Array.prototype.indexOf.call(box.childNodes, span) : -1;
    };
    for (const type of ["pointerover", "click"]) {
      box.addEventListener(type, (event) => {
        const at = position(event);
        if (at >= 0) this.choose(at);
      });
    }
    box.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 20, ArrowUp: -20 }[event.key];
      if (!step || !this.codes.length) return;
      event.preventDefault();
      this.choose(Math.min(Math.max(this.chosen + step, 0), this.codes.length - 1));
      box.childNodes[this.chosen].scrollIntoView({ block: "nearest" });
    });
  }

  // Show codes from position `first` on, in place of the previous ones.
  write(first, codes, classOf) {
    while (this.box.childNodes.length > first) this.box.lastChild.remove();
    this.codes.length = first;
    // A multi-byte character may have started before `first`, so its bytes are shown again.
    const again = this.symbols.kind === "bytes" ? Math.min(3, first) : 0;
    this.codes.push(...codes);
    const glyphs = this.symbols.glyphs(this.codes.slice(first - again));
    const added = document.createDocumentFragment();
    glyphs.forEach((shown, i) => {
      if (i < again) this.box.childNodes[first - again + i].textContent = shown;
      else added.append(element("span", classOf(first - again + i), shown));
    });
    this.box.append(added);
    if (this.chosen >= this.codes.length) this.chosen = -1;
    if (this.chosen >= first) this.mark();
  }

  recolor(classOf) {
    this.box.childNodes.forEach((span, i) => (span.className = classOf(i)));
    this.mark();
  }

  choose(at) {
    if (this.chosen >= 0) this.box.childNodes[this.chosen].classList.remove("chosen");
    this.chosen = at;
    this.mark();
    this.onChoose(at);
  }

  mark() {
    if (this.chosen >= 0) this.box.childNodes[this.chosen].classList.add("chosen");
  }
}

function surprisalClass(bits) {
  return `b${Math.min(MAX_BITS, Math.floor(bits))}`;
}

function unitClass(activation) {
  return `u${Math.round(UNIT_LEVELS * Math.max(-1, Math.min(1, activation)))}`;
}

// The color scale from low to high, with numbers.
function showKey(box, classes, labels) {
  box.replaceChildren(...classes.map((name, i) => element("span", name, labels[i])));
}

function surprisalKey(box) {
  const levels = Array.from({ length: MAX_BITS + 1 }, (_, i) => i);
  showKey(box, levels.map(surprisalClass), levels.map((i) => (i < MAX_BITS ? `${i}` : `${i}+ bits`)));
}

function unitKey(box) {
  const values = [-1, -0.5, 0, 0.5, 1];
  showKey(box, values.map(unitClass), values.map((value) => `${value}`.replace("-", "\u2212")));
}
