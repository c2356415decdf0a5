// NumPy's random numbers: PCG64 seeded by SeedSequence, so that a seed has the same meaning as in Python.

const WIDE = (1n << 128n) - 1n; // states are 128-bit integers
const MULTIPLIER = 0x2360ed051fc65da44385df649fccf645n;
const STREAM_DISTANCE = 0x9e3779b97f4a7c15f39cc0605cedc835n; // draws between the streams of two samples

// Eight 32-bit words derived from a seed, a nonnegative integer of any size.
function seedWords(seed) {
  const entropy = [];
  for (let rest = seed; rest > 0n || !entropy.length; rest >>= 32n) entropy.push(Number(rest & 0xffffffffn));
  let constant = 0x43b0d7e5;
  const hash = (value) => {
    value ^= constant;
    constant = Math.imul(constant, 0x931e8875);
    value = Math.imul(value, constant);
    return value ^ (value >>> 16);
  };
  const mix = (x, y) => {
    const value = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
    return value ^ (value >>> 16);
  };
  const pool = [0, 1, 2, 3].map((i) => hash(entropy[i] || 0));
  for (let from = 0; from < 4; from++) {
    for (let to = 0; to < 4; to++) if (from !== to) pool[to] = mix(pool[to], hash(pool[from]));
  }
  for (const word of entropy.slice(4)) {
    for (let to = 0; to < 4; to++) pool[to] = mix(pool[to], hash(word));
  }
  constant = 0x8b51f9dd;
  return Array.from({ length: 8 }, (_, i) => {
    let value = pool[i % 4] ^ constant;
    constant = Math.imul(constant, 0x58f38ded);
    value = Math.imul(value, constant);
    return BigInt((value ^ (value >>> 16)) >>> 0);
  });
}

// The random numbers of sample number `sample` for a seed.
class Uniforms {
  constructor(seed, sample) {
    const w = seedWords(BigInt(seed));
    const wide = (i) => (w[i + 1] << 96n) | (w[i] << 64n) | (w[i + 3] << 32n) | w[i + 2];
    this.increment = ((wide(4) << 1n) | 1n) & WIDE;
    this.state = (this.increment + wide(0)) & WIDE;
    this.step();
    this.skip(BigInt(sample) * STREAM_DISTANCE);
  }

  step() {
    this.state = (this.state * MULTIPLIER + this.increment) & WIDE;
  }

  // Advance by a number of draws, by repeated squaring.
  skip(draws) {
    let factor = MULTIPLIER;
    let plus = this.increment;
    for (let left = draws & WIDE; left > 0n; left >>= 1n) {
      if (left & 1n) this.state = (this.state * factor + plus) & WIDE;
      plus = ((factor + 1n) * plus) & WIDE;
      factor = (factor * factor) & WIDE;
    }
  }

  // The next number, at least 0 and below 1.
  next() {
    this.step();
    const folded = BigInt.asUintN(64, (this.state >> 64n) ^ this.state);
    const turn = this.state >> 122n;
    const turned = BigInt.asUintN(64, (folded >> turn) | (folded << (-turn & 63n)));
    return Number(turned >> 11n) / 9007199254740992;
  }
}
