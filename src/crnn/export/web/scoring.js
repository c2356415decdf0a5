// The log-probabilities of texts.

// The logarithm of the sum of the exponentials of logits.
function logTotal(logits) {
  let largest = -Infinity;
  let total = 0;
  for (const y of logits) largest = Math.max(largest, y);
  for (const y of logits) total += Math.exp(y - largest);
  return largest + Math.log(total);
}

// The log-probability of each of some symbols after a state, which becomes the state after them.
function logProbabilities(model, state, ids) {
  return Array.from(ids, (id) => {
    const logits = model.predict(state);
    const found = logits[id] - logTotal(logits);
    model.read(state, id);
    return found;
  });
}

// The ids of a whole text, with its end if the model has one.
function withEnd(ids, boundary) {
  return boundary === null ? ids : [...ids, boundary];
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
