// The settings: their values, their controls, and links that store them.

// The choices of each slider, in order. The text of a choice is the number itself unless `show` says otherwise.
const CHOICES = {
  rate: [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 5],
  clip: [0.01, 0.1, 1, 5, 10, Infinity],
  temperature: Array.from({ length: 41 }, (_, i) => i / 20),
  hidden: [1, 2, 5, 10, 25, 50, 100, 150, 200, 300],
  length: [1, 2, 5, 10, 25, 50, 100, 200],
  scale: [0, 0.001, 0.01, 0.1, 1],
};
const SWITCHES = ["dhnext", "subtracts-max"];
const SELECTS = { optimizer: ["adagrad", "sgd"], text: ["story", "towns", "own"] };
const MAX_SEED = 1e9;

// The gist's settings.
const DEFAULTS = {
  rate: 0.1, clip: 5, optimizer: "adagrad", dhnext: true, "subtracts-max": true, temperature: 0.8, hidden: 100, length: 25,
  scale: 0.01, seed: 1, text: "story",
};
const LIVE = ["rate", "clip", "optimizer", "dhnext", "subtracts-max"]; // may change while the network trains

function showChoice(name, value) {
  return name === "clip" && value === Infinity ? "off" : name === "clip" ? `\u00b1${value}` : String(value);
}

// The settings in a link's fragment, such as "rate=0.03&dhnext=off". Unknown names and values are ignored.
function settingsOfLink(fragment) {
  const settings = { ...DEFAULTS };
  for (const [name, value] of new URLSearchParams(fragment)) {
    if (Object.hasOwn(CHOICES, name)) {
      const found = CHOICES[name].find((choice) => String(choice) === value || (value === "off" && choice === Infinity));
      if (found !== undefined) settings[name] = found;
    } else if (SWITCHES.includes(name)) {
      settings[name] = value !== "off";
    } else if (Object.hasOwn(SELECTS, name)) {
      if (SELECTS[name].includes(value)) settings[name] = value;
    } else if (name === "seed" && /^[0-9]{1,9}$/.test(value)) {
      settings.seed = Number(value);
    }
  }
  return settings;
}

// The fragment that stores the settings, without those that the gist has, too.
function linkOfSettings(settings) {
  const parts = [];
  for (const [name, value] of Object.entries(settings)) {
    if (value === DEFAULTS[name]) continue;
    if (SWITCHES.includes(name)) parts.push(`${name}=${value ? "on" : "off"}`);
    else parts.push(`${name}=${value === Infinity ? "off" : value}`);
  }
  return parts.join("&");
}

// The part of the settings that the engine's network uses while it trains.
function trainingOptions(settings) {
  const { rate, clip, optimizer, dhnext } = settings;
  return { rate, clip, optimizer, dhnext, subtractsMax: settings["subtracts-max"] };
}

// The controls of the page. `onChange` receives the name of the setting that the user changed.
class Controls {
  constructor(onChange) {
    this.values = { ...DEFAULTS };
    for (const [name, choices] of Object.entries(CHOICES)) {
      const slider = byId(name);
      slider.min = "0";
      slider.max = String(choices.length - 1);
      slider.step = "1";
      slider.addEventListener("input", () => {
        this.values[name] = choices[slider.valueAsNumber];
        this.showSlider(name);
        if (name === "temperature") onChange(name);
      });
      if (name !== "temperature") slider.addEventListener("change", () => onChange(name));
    }
    for (const name of SWITCHES) {
      byId(name).addEventListener("change", () => this.take(name, byId(name).checked, onChange));
    }
    for (const name of Object.keys(SELECTS)) {
      byId(name).addEventListener("change", () => this.take(name, byId(name).value, onChange));
    }
    byId("seed").addEventListener("change", () => {
      const seed = Math.round(byId("seed").valueAsNumber);
      const isValid = seed >= 0 && seed < MAX_SEED;
      byId("seed").value = String(isValid ? seed : this.values.seed);
      if (isValid) this.take("seed", seed, onChange);
    });
    this.show(this.values);
  }

  take(name, value, onChange) {
    this.values[name] = value;
    onChange(name);
  }

  // Take over settings, and show them.
  show(values) {
    this.values = { ...values };
    for (const name of Object.keys(CHOICES)) {
      byId(name).value = String(CHOICES[name].indexOf(values[name]));
      this.showSlider(name);
    }
    for (const name of SWITCHES) byId(name).checked = values[name];
    for (const name of Object.keys(SELECTS)) byId(name).value = values[name];
    byId("seed").value = String(values.seed);
  }

  showSlider(name) {
    const shown = showChoice(name, this.values[name]);
    byId(`${name}-value`).textContent = shown;
    byId(name).setAttribute("aria-valuetext", shown);
  }
}
