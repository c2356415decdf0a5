
// Symbols: convert typed text to ids, and ids and codes to displayed text. All text is displayed through textContent.

const END = "\u220e"; // the end of a document
const UNSHOWABLE = "\ufffd";

class Symbols {
  // `vocabulary` has kind ("characters" or "bytes"), codes, unknown and boundary (ids or null).
  constructor(vocabulary) {
    Object.assign(this, vocabulary);
    this.idOf = new Map(this.codes.map((code, id) => [code, id]));
  }

  get size() {
    return this.codes.length + (this.unknown !== null) + (this.boundary !== null);
  }

  // The bytes of a text as UTF-8, or its code points.
  codesOf(text) {
    return this.kind === "bytes" ? new TextEncoder().encode(text) : Array.from(text, (c) => c.codePointAt(0));
  }

  // The ids of a text, and its characters unknown to the model.
  encode(text) {
    const ids = [];
    const strangers = new Set();
    for (const code of this.codesOf(text)) {
      const id = this.idOf.has(code) ? this.idOf.get(code) : this.unknown;
      if (id === null) strangers.add(this.kind === "bytes" ? `${hexadecimal(code)}` : glyph(code));
      else ids.push(id);
    }
    return { ids, strangers: [...strangers] };
  }

  // The code of a symbol: a code point or a byte; -1 for the boundary, -2 for an unknown symbol.
  code(id) {
    if (id === this.boundary) return -1;
    return id === this.unknown ? -2 : this.codes[id];
  }

  // The text of ids, without boundaries. Bytes are read as UTF-8.
  decode(ids) {
    const codes = Array.from(ids, (id) => this.code(id)).filter((code) => code !== -1);
    if (this.kind === "bytes") return new TextDecoder().decode(Uint8Array.from(codes, (code) => (code < 0 ? 63 : code)));
    return codes.map((code) => (code < 0 ? UNSHOWABLE : String.fromCodePoint(code))).join("");
  }

  // One visible glyph per code. In a model of bytes, the first byte of a character shows the character.
  glyphs(codes) {
    if (this.kind === "characters") return codes.map(glyph);
    const shown = codes.map((code) => (isPlain(code) ? glyph(code) : hexadecimal(code)));
    for (let i = 0; i < codes.length; i++) {
      const length = codes[i] >= 240 ? 4 : codes[i] >= 224 ? 3 : codes[i] >= 194 ? 2 : 1;
      const bytes = codes.slice(i, i + length);
      if (length === 1 || bytes.length < length || bytes.some((byte) => byte < 0)) continue;
      try {
        const character = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Uint8Array.from(bytes));
        shown[i] = glyph(character.codePointAt(0));
        shown.fill("\u00b7", i + 1, i + length);
      } catch {
        // not UTF-8, so its bytes are shown as numbers
      }
    }
    return shown;
  }

  // The display of a single symbol.
  name(id) {
    const code = this.code(id);
    if (code === 32) return "\u2423";
    return this.kind === "bytes" && !isPlain(code) ? hexadecimal(code) : glyph(code).trim();
  }
}

// Whether a code is a printable ASCII character, a tab, a line end, or not a byte (the boundary or an unknown symbol).
function isPlain(code) {
  return code < 0 || code === 9 || code === 10 || (code >= 32 && code < 127);
}

function isInvisible(character) {
  return /^[\p{C}\p{Zl}\p{Zp}]$/u.test(character);
}

function hexadecimal(code) {
  return `x${code.toString(16).padStart(2, "0")}`;
}

// One visible glyph for a code point. Invisible characters and those that change the writing direction are replaced.
function glyph(code) {
  if (code === -1) return `${END}\n`;
  if (code < 0) return UNSHOWABLE;
  if (code === 10) return "\u21b5\n";
  if (code === 9) return "\u2192\t";
  const character = String.fromCodePoint(code);
  if (isInvisible(character)) return UNSHOWABLE;
  return /^\p{M}$/u.test(character) ? `\u25cc${character}` : character;
}
