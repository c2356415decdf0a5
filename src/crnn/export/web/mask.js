// A detector's mask: rules that replace what matches a pattern, one after another.

class Mask {
  // `rules` have a pattern and a replacement.
  constructor(rules) {
    this.rules = rules.map(({ pattern, replacement }) => ({ pattern: new RegExp(pattern, "gu"), replacement }));
  }

  // The masked text. `places` holds the place of each of the text's units and of its end; the result's places replace them.
  apply(text, places) {
    let masked = { text, places };
    for (const rule of this.rules) masked = replaced(masked, rule);
    return masked;
  }
}

function replaced({ text, places }, { pattern, replacement }) {
  const parts = [];
  const kept = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    parts.push(text.slice(end, match.index), replacement);
    for (let i = end; i < match.index; i++) kept.push(places[i]);
    for (let i = 0; i < replacement.length; i++) kept.push(places[match.index]);
    end = match.index + match[0].length;
  }
  if (!parts.length) return { text, places };
  parts.push(text.slice(end));
  for (let i = end; i < places.length; i++) kept.push(places[i]);
  return { text: parts.join(""), places: kept };
}
