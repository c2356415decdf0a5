// The counts of a module.

function createNetwork() {
  return new Counts(DATA.model, WEIGHTS);
}
