// Models that read the same text, mixed log-linearly: the probability of a symbol is proportional to the product of the
// models' probabilities, each raised to the power of its weight.

class Mixture {
  // `model` has members; weights, a row for 0, 1, ... letters since the start of a word, the last for as many or more;
  // letters, the ranges [first, end] of the ids of letters; symbols, boundary and unknown.
  constructor(model, stored) {
    this.model = model;
    this.members = [];
    for (const member of model.members) this.members.push(createModel(member, stored, this.members));
    this.isLetter = new Uint8Array(model.symbols);
    for (const [first, end] of model.letters) this.isLetter.fill(1, first, end);
    this.logits = new Float64Array(model.symbols);
  }

  start() {
    return { parts: this.members.map((member) => member.start()), letters: 0 };
  }

  copy(state) {
    return { parts: this.members.map((member, k) => member.copy(state.parts[k])), letters: state.letters };
  }

  read(state, id) {
    this.members.forEach((member, k) => member.read(state.parts[k], id));
    state.letters = this.isLetter[id] ? Math.min(state.letters + 1, this.model.weights.length - 1) : 0;
  }

  // The weighted sum of the members' logits. The next call reuses the array.
  predict(state) {
    const weights = this.model.weights[state.letters];
    this.logits.fill(0);
    this.members.forEach((member, k) => {
      if (weights[k] === 0) return;
      const y = member.predict(state.parts[k]);
      for (let i = 0; i < this.logits.length; i++) this.logits[i] += weights[k] * y[i];
    });
    return this.logits;
  }
}

KINDS.set("mixture", (model, stored) => new Mixture(model, stored));
