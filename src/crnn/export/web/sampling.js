// From logits to a symbol, in the same order as in Python: temperature, top-k, top-p, then the draw.

// The probability of each symbol.
function probabilities(logits) {
  const p = new Float64Array(logits.length);
  let largest = -Infinity;
  let total = 0;
  for (const y of logits) largest = Math.max(largest, y);
  for (let i = 0; i < p.length; i++) total += p[i] = Math.exp(logits[i] - largest);
  for (let i = 0; i < p.length; i++) p[i] /= total;
  return p;
}

// The ids from most to least probable; ties are in id order.
function byProbability(p) {
  return Array.from(p.keys()).sort((a, b) => p[b] - p[a] || a - b);
}

// Unnormalized probabilities, 0 for symbols excluded by the settings. `never` is an id that is never drawn, or null.
function weigh(logits, { temperature, topK, topP }, never) {
  const p = new Float64Array(logits.length);
  const allowed = (i) => i !== never;
  let best = -1;
  for (let i = 0; i < p.length; i++) {
    if (allowed(i) && (best < 0 || logits[i] > logits[best])) best = i;
  }
  if (temperature === 0) {
    p[best] = 1;
    return p;
  }
  for (let i = 0; i < p.length; i++) {
    p[i] = allowed(i) ? Math.exp((logits[i] - logits[best]) / Math.fround(temperature)) : 0;
  }
  if (!(topK > 0 && topK < p.length) && topP >= 1) return p;
  const order = byProbability(p);
  if (topK > 0) for (const i of order.splice(topK)) p[i] = 0;
  if (topP < 1) {
    const wanted = topP * order.reduce((sum, i) => sum + p[i], 0);
    let sum = 0;
    let kept = 0;
    while (kept < order.length && (kept === 0 || sum < wanted)) sum += p[order[kept++]];
    for (const i of order.slice(kept)) p[i] = 0;
  }
  return p;
}

// The symbol selected by a uniform number: the first whose running sum exceeds it.
function pick(p, uniform) {
  let total = 0;
  for (const weight of p) total += weight;
  const limit = uniform * total;
  let sum = 0;
  let last = 0;
  for (let i = 0; i < p.length; i++) {
    sum += p[i];
    if (p[i] > 0) last = i;
    if (limit < sum) return i;
  }
  return last;
}
