// The model of a module or page: counts.

function createNetwork(model, weights) {
  return new Counts(model, weights);
}
