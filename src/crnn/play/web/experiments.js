// The experiments: which settings each changes from the gist's, and what happens then. The sentences tell what was measured
// with this page's code and its first text. `python tools/measure_play.py` prints the figures, as ranges over three seeds.

const EXPERIMENTS = {
  gist: {
    settings: {},
    says: "The gist's settings. The loss starts at ln V, jumps above it, and falls: after 5,000 steps to 1.73–1.84 nats per character in training and 1.68–1.77 on the held-out tenth. Watch what it learns first: letters, line ends and names, words.",
  },
  "rate-1": {
    settings: { rate: 1 },
    says: "Adagrad's first step moves every weight by the whole rate, here by 1, so the units saturate at once. The smoothed loss climbs far above a uniform guess, to 7.1–27, and after 5,000 steps it is still 3.7–8.0 nats, worse than knowing only how often each character occurs. Look at the dark units, and at how short the gradient is.",
  },
  "rate-0.03": {
    settings: { rate: 0.03 },
    says: "A third of the gist's rate learns better: after 5,000 steps 1.64–1.65 nats in training (the gist: 1.73–1.84) and 1.64–1.66 held out (1.68–1.77), and hardly jumps at the beginning. The gist's 0.1 is not a magic number.",
  },
  "rate-0.01": {
    settings: { rate: 0.01 },
    says: "Smooth but slow: 2.01–2.02 nats after 5,000 steps. Adagrad divides by the root of all squared gradients so far, so its steps only ever shrink, and a rate that is too small never catches up.",
  },
  "no-clipping": {
    settings: { clip: Infinity },
    says: "Nearly nothing happens: 1.75–1.84 nats after 5,000 steps, against 1.73–1.84 with clipping. Adagrad divides a huge gradient by its own size, so it cannot make a huge step. With SGD the limit matters: try both.",
  },
  sgd: {
    settings: { optimizer: "sgd", rate: 0.01 },
    says: "Plain gradient descent at rate 0.01, with the gist's clipping, comes close to Adagrad: 1.79–1.80 nats after 5,000 steps. But it depends on its rate: 0.001 needs ten times as long (2.8 nats), and 0.1 fails. Wait, too: between 10,000 and 15,000 steps the loss rose to 2.5 or more in each of three runs.",
  },
  "sgd-0.1": {
    settings: { optimizer: "sgd", rate: 0.1 },
    says: "Ten times the rate at which gradient descent works: the loss climbs to ten times that of a uniform guess and stays there, 42–43 nats. Clipping keeps it from becoming NaN, and does not make it learn. For Adagrad the same number is a good rate.",
  },
  "no-dhnext": {
    settings: { dhnext: false },
    says: "The gradient stops at each character: no loss teaches an earlier state what to keep, as the plot shows. And yet this learns better than the gist at its rate of 0.1: 1.54–1.63 nats after 5,000 steps instead of 1.73–1.84. The random state still remembers a little, and gradients through time are what a rate of 0.1 is too high for. Now compare at 0.03.",
  },
  "no-dhnext-0.03": {
    settings: { dhnext: false, rate: 0.03 },
    says: "At rate 0.03 the advantage is gone: 1.67–1.68 nats in training without dhnext, 1.64–1.65 with it, and the same held out (1.64–1.66). One setting can hide what another does: compare two methods only with each at its best rate.",
  },
  "weights-0": {
    settings: { scale: 0 },
    says: "All states stay 0, so no weight but the output bias by ever gets a gradient. by learns how often each character occurs, and the loss stops there: 3.21 nats, the lower dashed line, for every seed. The weights must differ for the units to become different.",
  },
  "weights-1": {
    settings: { scale: 1 },
    says: "tanh saturates from the start: the first loss is 20–26 nats, five times that of a uniform guess, because the network is sure of nonsense. After 5,000 steps it is at 3.5–3.6 nats. Small first weights keep tanh in its steep middle, where it can learn.",
  },
  "chunks-of-1": {
    settings: { length: 1 },
    says: "One character for each step, so there is no gradient through time, and the weights change 25 times as often for the same text. After 5,000 steps it has read only 5,000 characters, and is at 3.47 nats. Wait for 125,000 steps, as many characters as 5,000 steps of the gist: 1.65–1.88 nats, about as good as the gist's 1.73–1.84.",
  },
  "chunks-of-100": {
    settings: { length: 100 },
    says: "Each step reads four times as many characters and takes about four times as long: 1.44–1.67 nats after 5,000 steps. The gradient could reach 99 characters back, but look at the plot: after 20, about a ten-thousandth is left. Longer chunks help by a less noisy gradient, not by a longer memory.",
  },
  "units-10": {
    settings: { hidden: 10 },
    says: "Ten units learn 1.88–1.90 nats in 5,000 steps, nearly as good as the gist's hundred (1.73–1.84), in a fraction of the time. They have too little room for more: wait, and the curve stays flat.",
  },
  "units-200": {
    settings: { hidden: 200 },
    says: "More is not better at this rate: 200 units are at 2.10–2.26 nats after 5,000 steps, 100 at 1.73–1.84, and 25 at 1.61–1.62. Each unit receives the first steps of 0.1 from twice as many others, and saturates. Try rate 0.03.",
  },
  stop: {
    settings: { rate: 0.03 },
    says: "At rate 0.03, watch both curves. After 15,000 steps the training loss is 1.33–1.34 and the held-out loss 1.50–1.53; after 20,000 the training loss has fallen on to 1.26, and the held-out loss is 1.49–1.53: about the same. From there on the network mostly memorizes this text. That is the time to stop.",
  },
  tiny: {
    settings: { text: "own" },
    own: "hello all!",
    says: "With fewer than 26 characters the gist's script ends with \u201cIndexError: list index out of range\u201d: it takes inputs = data[0:25] and targets = data[1:26], and here there is one target fewer than inputs, so targets[t] does not exist for the last t. This page shortens the chunk to 9 characters instead, and the network knows them by heart within some hundred steps.",
  },
  nan: {
    settings: { optimizer: "sgd", rate: 1, clip: Infinity, "subtracts-max": false },
    says: "Gradient descent at rate 1, without clipping, and exp as in the gist: within 6 to 10 steps a logit exceeds 709, exp gives infinity, and infinity divided by infinity is NaN. Turn either safety back on: with \u201csubtract the largest logit\u201d or with clipping it does not become NaN at once, but it does not learn either.",
  },
};
