// Labels of texts, by Bayes' rule from the probabilities of a text given each label.

class Classifier {
  // `model` has labels; prior, the probability of each; estimators, each with a weight and readers, models with labels
  // that read texts forward or backward; and vocabularies, of which each reader uses the one with its number.
  constructor(model, stored) {
    this.model = model;
    this.symbols = model.vocabularies.map((vocabulary) => new Symbols(vocabulary));
    this.estimators = model.estimators.map(({ weight, readers }) => ({
      weight,
      readers: readers.map((reader) => ({ ...reader, model: createModel(reader, stored) })),
    }));
  }

  // The probability of each label of a text, in the order of the labels.
  probabilities(text) {
    const scores = this.model.prior.map((p) => Math.log(p));
    for (const { weight, readers } of this.estimators) {
      for (const reader of readers) {
        const symbols = this.symbols[reader.vocabulary];
        const { ids } = symbols.encode(text);
        const read = withEnd(reader.backward ? ids.reverse() : ids, symbols.boundary);
        scores.forEach((score, k) => {
          const [model, state] = reader.model.start(k);
          scores[k] += (weight / readers.length) * sum(logProbabilities(model, state, read));
        });
      }
    }
    const total = logTotal(scores);
    return scores.map((score) => Math.exp(score - total));
  }

  // The most probable label, and all labels with their probabilities, the most probable first.
  classify(text) {
    const p = this.probabilities(text);
    const order = [...p.keys()].sort((a, b) => p[b] - p[a] || a - b);
    const { labels } = this.model;
    return { label: labels[order[0]], probabilities: order.map((k) => ({ label: labels[k], probability: p[k] })) };
  }
}
