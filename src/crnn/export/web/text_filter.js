// A Bloom filter: it recognizes every text of a list, and rarely takes another text for one of them.

class TextFilter {
  // The filter has `bits` bits in base64, `encoded`, and looks at `hashes` of them for each text.
  constructor({ bits, hashes, encoded }) {
    this.size = bits;
    this.hashes = hashes;
    this.bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
  }

  // Whether a text is on the list; `codes` are its code points or bytes.
  has(codes) {
    let first = 0x811c9dc5;
    let step = 0x9747b28c;
    for (const code of codes) {
      first = Math.imul(first ^ code, 0x01000193);
      step = Math.imul(step ^ code, 0x85ebca6b);
    }
    first = mixed(first);
    step = (mixed(step) | 1) >>> 0;
    for (let i = 0; i < this.hashes; i++) {
      const bit = (first + i * step) % this.size;
      if (!((this.bytes[bit >> 3] >> (bit & 7)) & 1)) return false;
    }
    return true;
  }
}

// A hash of 32 bits whose bits all depend on all bits.
function mixed(hash) {
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
