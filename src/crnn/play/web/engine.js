// The engine trains a network on request and reports how it goes. It runs in a worker, so that the page never stalls. If
// the browser forbids workers, it runs in the page itself, in short time slices.

const SLICE = 30; // milliseconds of training between checks for messages
const REPORT_EVERY = 125; // milliseconds between reports
const SAMPLE_EVERY = 1000; // milliseconds between samples and held-out losses
const SAMPLE_LENGTH = 320; // characters
const MAX_SHARE = 0.1; // of the time, for samples and held-out losses

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// Requests and reports are objects with a `type`, and the number of the run that they belong to in `turn`.
class Engine {
  constructor(post) {
    this.post = post;
    this.turn = 0;
    this.running = false;
    this.working = false;
  }

  handle(request) {
    if (request.type === "start") {
      this.start(request);
    } else if (request.type === "set") {
      this.temperature = request.temperature;
      this.model.options = request.options;
      if (request.sample) this.report(true);
    } else if (request.type === "run") {
      this.running = true;
      this.work();
    } else if (request.type === "pause") {
      this.running = false;
      this.report(true);
    } else if (request.type === "step") {
      this.running = false;
      this.train(1);
      this.report(true);
    } else if (request.type === "save") {
      this.post({ type: "file", turn: this.turn, bytes: modelFile(this.model, this.codes, this.scale) });
    }
  }

  start({ turn, ids, held, codes, hidden, length, scale, seed, options, temperature, running }) {
    this.turn = turn;
    this.held = held;
    this.codes = codes;
    this.scale = scale;
    this.temperature = temperature;
    const random = new Uniforms(seed, 0);
    this.model = new MinCharRNN({ ids, symbols: codes.length, hidden, length, scale, random, options });
    this.samples = new Uniforms(seed, 1);
    this.reach = null;
    this.speed = 0;
    this.nextSample = 0;
    this.running = running;
    this.report(true);
    this.work();
  }

  // Train while the engine is running.
  async work() {
    if (this.working) return;
    this.working = true;
    let since = performance.now();
    let steps = 0;
    let turn = this.turn;
    while (this.running) {
      if (turn !== this.turn) {
        turn = this.turn;
        steps = 0;
        since = performance.now();
      }
      const end = performance.now() + SLICE;
      while (performance.now() < end) {
        this.train(1);
        steps++;
      }
      const now = performance.now();
      if (now - since >= REPORT_EVERY) {
        this.speed = (1000 * steps) / (now - since);
        since = now;
        steps = 0;
        this.report(now >= this.nextSample);
        if (Number.isNaN(this.model.smoothLoss)) this.running = false;
      }
      await wait(0);
    }
    this.working = false;
  }

  train(steps) {
    const { model } = this;
    for (let i = 0; i < steps; i++) {
      const loss = model.backPropagate();
      this.wantsReach = this.wantsReach || this.reach === null;
      if (this.wantsReach) {
        this.reach = model.reach();
        this.wantsReach = false;
      }
      model.update();
      model.advance(loss);
      this.loss = loss;
    }
  }

  // Tell the page the numbers of the last step; `all` adds a sample and the held-out loss.
  report(all) {
    const { model } = this;
    const report = {
      type: "report", turn: this.turn, steps: model.steps, T: model.T, loss: this.loss, smoothLoss: model.smoothLoss,
      speed: this.speed, norm: model.gradientNorm, clipped: model.clipped, reach: this.reach,
    };
    this.wantsReach = true;
    if (all) {
      const begin = performance.now();
      report.held = this.held.length > 1 ? model.score(this.held) : null;
      report.sample = model.sample(SAMPLE_LENGTH, this.temperature, this.samples);
      const now = performance.now();
      this.nextSample = now + Math.max(SAMPLE_EVERY, (now - begin) / MAX_SHARE);
    }
    this.post(report);
  }
}

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  const engine = new Engine((answer) => self.postMessage(answer));
  self.onmessage = (event) => engine.handle(event.data);
}
